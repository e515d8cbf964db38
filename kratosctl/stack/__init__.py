"""Pure rendering: an environment and where it runs -> files. Nothing here reads the user's files or the engine."""
