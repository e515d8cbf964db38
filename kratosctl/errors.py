"""One error tree. Each error says what happened, why, and what to do next, and has an exit code of its own."""

from __future__ import annotations

import re
from typing import ClassVar


class KratosctlError(Exception):
    """Anything a user can cause or meet.

    Args:
        what: what happened, one line.
        why: the reason, one line; may be empty.
        fix: what to do next, one line; may be empty. In a command, `{env}` stands for the environment it is about.

    Attributes:
        environment: whose commands `fix` names; set by what acts for one, deeper rooms know none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self._fix = what, why, fix
        self.environment = ""

    def __str__(self) -> str:
        """All of it: in a traceback, too, why it is and what to do."""
        return "\n".join(self.lines())

    @property
    def fix(self) -> str:
        """What to do next."""
        if self.environment:
            return self._fix.replace("{env}", self.environment)
        return re.sub("( --env)? {env}", "", self._fix)

    @fix.setter
    def fix(self, fix: str) -> None:
        self._fix = fix

    @property
    def code(self) -> str:
        """The error's name for scripts: `PortTaken` is `port-taken`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(self).__name__).lower()

    def lines(self) -> list[str]:
        """One to three lines for a person."""
        return [self.what, *(line for line in (self.why, self.fix) if line)]


class UsageError(KratosctlError):
    """The command line asks for something that does not exist."""

    exit_code = 2


# The engine: nothing of ours can run.
class DockerMissing(KratosctlError):
    exit_code = 10


class ComposeMissing(KratosctlError):
    exit_code = 11


class DaemonDown(KratosctlError):
    exit_code = 12


class SocketForbidden(KratosctlError):
    exit_code = 13


class EngineTooOld(KratosctlError):
    exit_code = 14


class EngineRemote(KratosctlError):
    exit_code = 15


class EngineFailed(KratosctlError):
    exit_code = 16


class OnAnotherEngine(KratosctlError):
    """Nothing of the environment is here. Nothing was changed."""

    exit_code = 17


# The host: disk, ports, directories.
class DiskFull(KratosctlError):
    exit_code = 20


class PortTaken(KratosctlError):
    exit_code = 21


class DirectoryReadOnly(KratosctlError):
    exit_code = 22


class EnvironmentBusy(KratosctlError):
    exit_code = 23


class NetworkTaken(KratosctlError):
    exit_code = 24


class HostTooSmall(KratosctlError):
    exit_code = 25


class NetworkGone(KratosctlError):
    exit_code = 26


# What was asked for.
class ConfigurationInvalid(KratosctlError):
    exit_code = 30


class UnknownKey(ConfigurationInvalid):
    exit_code = 31


class NameInvalid(ConfigurationInvalid):
    exit_code = 32


class ChoiceImpossible(KratosctlError):
    exit_code = 33


class FloatingTag(KratosctlError):
    exit_code = 34


class ConfigDirectoryMissing(KratosctlError):
    exit_code = 35


class SecretTooShort(KratosctlError):
    exit_code = 36


class GeneratedFileEdited(KratosctlError):
    exit_code = 37


class ConfirmationNeeded(KratosctlError):
    exit_code = 38


class NotRunning(KratosctlError):
    exit_code = 39


class NotOurs(KratosctlError):
    exit_code = 40


class ComposeFileInvalid(KratosctlError):
    exit_code = 41


# What Kratos and its database say.
class ImageMissing(KratosctlError):
    exit_code = 50


class MigrationFailed(KratosctlError):
    exit_code = 51


class KratosRefusedConfiguration(KratosctlError):
    exit_code = 52


class DatabaseUnreachable(KratosctlError):
    exit_code = 53


class DatabasePasswordWrong(KratosctlError):
    exit_code = 54


class NotReady(KratosctlError):
    """
    Attributes:
        unmigrated: Kratos serves, and goes on saying that it is not ready: migrations may be pending.
    """

    exit_code = 55
    unmigrated = False


class DowngradeRefused(KratosctlError):
    exit_code = 56


class ServiceFailed(KratosctlError):
    exit_code = 57


class DatabaseDamaged(KratosctlError):
    exit_code = 58


class DatabaseHeld(DatabaseUnreachable):
    """Somebody else held the database, or a table of it, for too long. Nothing was changed."""

    exit_code = 59


# Snapshots.
class SnapshotMissing(KratosctlError):
    exit_code = 60


class SnapshotExists(KratosctlError):
    exit_code = 61


class SnapshotDamaged(KratosctlError):
    exit_code = 62


class SnapshotForeign(KratosctlError):
    """It fits another database engine, or a newer Kratos."""

    exit_code = 63


class UpgradeFailed(KratosctlError):
    """The old release serves, with its data."""

    exit_code = 64


class SeedFailed(KratosctlError):
    """The database is as it was."""

    exit_code = 65


class BundleDamaged(KratosctlError):
    exit_code = 66


# Lessons.
class LessonRunning(KratosctlError):
    """One at a time in an environment."""

    exit_code = 67


class LessonMissing(KratosctlError):
    """No lesson is running in this environment."""

    exit_code = 68


# `run`: what a shell says of a command.
class CommandNotExecutable(KratosctlError):
    exit_code = 126


class CommandNotFound(KratosctlError):
    exit_code = 127


# What a test asks of Kratos.
class KratosRefused(KratosctlError):
    """A request that has to succeed did not."""

    exit_code = 70


class CodeMissing(KratosctlError):
    exit_code = 71


class Defect(KratosctlError):
    """kratosctl met what nobody thought of."""

    exit_code = 99


class Interrupted(KratosctlError):
    """Ctrl-C or Ctrl-D at a prompt or during a step, SIGTERM, a closed terminal; or the answer was no."""

    exit_code = 130
