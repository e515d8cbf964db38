"""Databases: migrating one, templates of migrated ones, SQLite in a volume, what data there is."""
