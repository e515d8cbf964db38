"""The program: one entry, one place where errors are caught."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence

import click

from kratosctl.cli import kratosctl
from kratosctl.cli.session import Session
from kratosctl.errors import Defect, DiskFull, Interrupted, KratosctlError, UsageError


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: the command line without the program's name.

    Returns:
        The exit code: 0, or the error's own.
    """
    session = Session(json="--json" in _before_dashes(arguments))
    stdout = sys.stdout
    try:
        code = kratosctl.main(
            list(arguments), prog_name="kratosctl", standalone_mode=False, obj=session, terminal_width=_width()
        )
        sys.stdout.flush()
    except SystemExit as ended:
        if sys.stdout is not stdout:
            # click has replaced it where nobody reads on
            return _unread(session)
        # how it ends a completion
        code = ended.code
    except KratosctlError as error:
        return _ended_with(error, session)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        session.command = session.command or (context.command_path.partition(" ")[2] if context else "")
        return _ended_with(UsageError(error.format_message(), fix=_usage_fix(error)), session)
    except (KeyboardInterrupt, EOFError, click.Abort):
        # click has ended the line on which ^C stands
        return _interrupted(session)
    except BrokenPipeError as error:
        # it could not, where that has ended the reader, too: `2>&1 | tee log`
        at_interrupt = isinstance(error.__context__, KeyboardInterrupt | EOFError)
        return _interrupted(session) if at_interrupt else _unread(session)
    except Exception as error:
        failure: KratosctlError = _defect(error)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            # files of ours say so themselves, and which
            failure = DiskFull("no space left to write the result", error.strerror or "", "free some space")
        return _ended_with(failure, session)
    return code if isinstance(code, int) else 0


def _interrupted(session: Session) -> int:
    if session.until_interrupt:
        return Interrupted.exit_code
    return _ended_with(Interrupted("interrupted", fix=session.after_interrupt), session)


def _unread(session: Session) -> int:
    """The reader went away, as `| head` does: that is no failure, and nothing more is to be written. What a check found
    is true all the same."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return session.exit_code


def _ended_with(error: KratosctlError, session: Session) -> int:
    """Prints an error, and returns its exit code, which alone tells of it where nobody reads what is printed."""
    with contextlib.suppress(OSError):
        session.console.error(session.command, error)
    return error.exit_code


def _defect(error: Exception) -> Defect:
    """What nobody thought of, in three lines. Its own message may quote a secret: only who asks for it sees that."""
    import traceback

    if os.environ.get("KRATOSCTL_TRACEBACK"):
        from kratosctl.kratos.log_lines import shown

        for line in "".join(traceback.format_exception(error)).splitlines():
            print(shown(line), file=sys.stderr)
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "kratosctl" in frame.filename]
    where = f" at line {ours[-1].lineno} of {ours[-1].filename.rpartition('kratosctl' + os.sep)[2]}" if ours else ""
    return Defect(
        f"kratosctl failed in a way nobody thought of: {type(error).__name__}{where}",
        "that is a defect of kratosctl, not of what you did",
        "report it to whoever gave you kratosctl, with all that it shows when KRATOSCTL_TRACEBACK=1 is set",
    )


def _width() -> int:
    """Columns of a help text, as click has them; it would import shutil to ask, which takes as long as all our own."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (OSError, ValueError):
        columns = 80
    return max(min(columns, 80) - 2, 50)


def _before_dashes(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _usage_fix(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path} --help`" if context else "see `kratosctl --help`"
