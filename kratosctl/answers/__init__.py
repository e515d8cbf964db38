"""What people asked for: at a prompt, by flag and environment variable, in kratosctl.yaml and workshop.yaml."""
