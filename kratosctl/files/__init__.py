"""Files written whole or not at all, locks, and what a user's YAML says and where."""
