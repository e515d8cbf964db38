"""Environments that live as long as one process."""
