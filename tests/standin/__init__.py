"""Small programs that stand in for Ory Kratos, its self-service UI and Mailpit where no image registry answers.

They do what kratosctl and its tests rely on, as the contract tests state it, and no more. They run in
containers made from Debian packages, so they use the standard library, psycopg2 and PyYAML alone.
"""
