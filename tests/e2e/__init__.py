"""kratosctl as people run it: the real program, a real Docker engine, a real database."""
