"""What a lesson is: what it teaches, how it breaks an environment, and how to tell that it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kratosctl.files import yaml_edit

if TYPE_CHECKING:
    from kratosctl.lessons.trial import Trial


class Unfit(Exception):
    """The lesson cannot break this configuration; the text says why."""


@dataclass(frozen=True)
class Ground:
    """What a lesson may break.

    Attributes:
        main: name of the main file in Kratos' configuration directory.
        texts: the main file and the identity schema, by name.
        configuration: what the main file says.
        schema: name of the default identity schema's file; empty where it is none of the directory.
        identity: what that schema says.
        public: URL of the public API.
        ui: URL of the self-service UI; empty where there is none.
        secrets: text of the generated file with Kratos' secrets.
    """

    main: str
    texts: Mapping[str, str] = field(repr=False)
    configuration: Mapping[str, Any] = field(repr=False)
    schema: str = ""
    identity: Any = field(default=None, repr=False)
    public: str = ""
    ui: str = ""
    secrets: str = field(default="", repr=False)

    def with_settings(self, settings: Mapping[str, Any]) -> Broken:
        """The main file with values set: by keys with dots between them."""
        text = self.texts[self.main]
        for path, value in settings.items():
            text = yaml_edit.set_at(text, path.split("."), value, self.main)
        return Broken({self.main: text})


@dataclass(frozen=True)
class Broken:
    """The texts that a lesson puts in place of those that were there.

    Attributes:
        configuration: by name, in Kratos' configuration directory.
        generated: by path, in the environment's generated directory.
    """

    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)
    generated: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Lesson:
    """
    Attributes:
        name: what people type.
        title: one line, which does not give the cause away.
        teaches: what one knows afterwards.
        minutes: how long it takes, about.
        symptom: what somebody who uses the environment sees.
        look: where to begin.
        hints: where to look; what is wrong; nearly the answer.
        solution: what was done to it, and what mends it.
        breaks: the texts that break it; raises Unfit.
        probe: what is still wrong when people can sign up and in again, in a sentence; empty where nothing is.
        rules: the rules of `doctor` that find it.
        rules_must_be_silent: the fault can be there without showing, so their finding alone means that it is.
        since: the first Kratos release it works on.
        needs: of `ui` and `mail`, what the environment must have.
        not_with: presets it cannot work with.
        rolls_back: how many migrations are taken back; the database is then kept whole, and put back by `fix`.
    """

    name: str
    title: str
    teaches: str
    minutes: int
    symptom: str
    look: str
    hints: tuple[str, str, str]
    solution: str
    breaks: Callable[[Ground], Broken] = lambda ground: Broken()
    probe: Callable[[Trial], str] = lambda trial: ""
    rules: tuple[str, ...] = ()
    rules_must_be_silent: bool = False
    since: str = "v1.0.0"
    needs: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    rolls_back: int = 0
