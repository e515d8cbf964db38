"""Seeding: identities from files of people into a running Kratos, as a stream."""
