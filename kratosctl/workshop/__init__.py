"""A classroom: a Kratos environment for every attendee, on one host."""
