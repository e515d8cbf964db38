"""Stands in for Mailpit: an SMTP server that delivers nothing, and an inbox to read in a browser or as JSON."""
