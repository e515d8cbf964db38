"""Snapshots of an environment's database: kept as files, put back under a running Kratos in one transaction."""
