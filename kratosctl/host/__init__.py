"""This host: its ports and networks."""
