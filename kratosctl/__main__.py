"""`python -m kratosctl`."""

from kratosctl.main import run

run()
