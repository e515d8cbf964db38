"""A database on its way to being served."""
