"""Kratos itself: its APIs, its log, its configuration directory, whether it is ready."""
