"""Stands in for Ory's self-service UI for Kratos: pages to sign up and to sign in."""
