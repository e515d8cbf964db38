"""The Docker engine. `reading` asks it by short docker calls, `client` changes it, `faults` says what went wrong."""
