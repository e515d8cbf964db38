"""The console script, and `python -m kratosctl`."""

import gc
import sys


def run() -> None:
    """Runs the program to its end.

    Looking for garbage is a tenth of a short run: importing makes many objects and drops none, and what is there at
    the end goes with the process.
    """
    gc.set_threshold(20_000)
    from kratosctl.main import main

    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        gc.disable()


if __name__ == "__main__":
    run()
