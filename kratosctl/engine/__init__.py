"""The Docker engine. `program` runs docker, `reading` asks by it, `client` changes, `faults` says what went wrong."""
