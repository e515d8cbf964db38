"""`doctor`: observed facts in, findings out. Gathering reads and never fails; the rules are pure."""
