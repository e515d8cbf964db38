"""kratosctl: a pinned, migrated, ready Ory Kratos in one command."""

__version__ = "0.1.0"
