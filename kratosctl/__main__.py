"""The console script, and `python -m kratosctl`."""

import gc
import os
import signal
import sys


def run() -> None:
    """Runs the program to its end.

    Looking for garbage is a tenth of a short run: importing makes many objects and drops none. So is taking all of
    them apart at the end: what is there then goes with the process.
    """
    gc.set_threshold(20_000)
    for number in (signal.SIGTERM, signal.SIGHUP):
        # a cancelled job, a supervisor, a closed terminal: as Ctrl-C, at which docker ends, too, and what was begun is
        # undone; what nohup ignores stays so
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    # whoever closed them (`<&-`, `>&-`) answers nothing, and wants to read nothing
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    # a path or a terminal of another encoding: escaped, as on standard error, rather than a failure to print
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        from kratosctl.main import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        # nothing has begun yet; or a second one, while the first is told
        code = 130
    os._exit(code)


if __name__ == "__main__":
    run()
