"""What goes wrong around kratosctl, and what it then says and leaves behind."""
