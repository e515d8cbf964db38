"""Teachable faults: an environment broken in a known way, for somebody to mend."""
