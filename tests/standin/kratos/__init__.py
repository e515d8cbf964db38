"""Stands in for Ory Kratos: its commands, configuration, migrations, APIs, exits and retries.

Message texts, row shapes and status codes were taken from running Kratos v1.1.0 and v26.2.0; the contract
tests hold both to them.
"""
