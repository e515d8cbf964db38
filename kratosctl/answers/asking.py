"""What to ask about a new environment, in which order, and what cannot work. Pure: `prompting` does the asking."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kratosctl import catalog, fragments, questions
from kratosctl.environment import Environment, from_answers, reason_against
from kratosctl.errors import ChoiceImpossible, KratosctlError
from kratosctl.host import ports
from kratosctl.questions import Question

_DATABASES = {
    "sqlite": "one file, nothing else to run: to try things out",
    "postgres": "PostgreSQL beside Kratos: as in production",
    "memory": "gone when Kratos stops: for short tests",
    "external": "your own PostgreSQL, MySQL or CockroachDB, named by DSN",
}
_VARIANTS = {
    "default": "Alpine Linux, with SQLite and a shell",
    "distroless": "Kratos and nothing else: no SQLite, no shell",
}
NO_DSN = "DSN is not set: export DSN=postgres://… first"
_ANOTHER = "another"
_WIDTH = 78


@dataclass(frozen=True)
class Choice:
    """One line to pick.

    Attributes:
        value: what picking it answers.
        title: its name.
        about: one line on what it is good for.
        against: why it cannot work; empty where it can.
    """

    value: Any
    title: str
    about: str = ""
    against: str = ""


@dataclass(frozen=True)
class Prompt:
    """One question as it is put to a person.

    Attributes:
        kind: pick one of the choices, answer yes or no, or type a text.
        message: what is asked.
        choices: of a choice; at least one can work.
        default: the answer of Enter alone; one that can work.
        check: says why a text cannot be taken; empty where it can.
    """

    kind: Literal["choice", "yes-no", "text"]
    message: str
    choices: tuple[Choice, ...] = ()
    default: Any = None
    check: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True)
class Host:
    """What the questions depend on beside the answers.

    Attributes:
        is_taken: whether something listens on a port, at an address of this host.
        holder: who holds a taken port, in words.
        no_external: why no external database can be picked; empty where one can.
        kept: ports this environment had before, by name.
        ours: ports its own containers hold now.
    """

    is_taken: Callable[[int, str], bool]
    holder: Callable[[int], str]
    no_external: str = NO_DSN
    kept: Mapping[str, int] = field(default_factory=dict)
    ours: frozenset[int] = frozenset()


Ask = Callable[[Prompt], Any]


def open_questions(answers: Mapping[str, Any], skip: Collection[str] = ()) -> list[Question]:
    """The questions nobody answered yet, in the order of the table.

    Args:
        answers: what flags and variables said, by key.
        skip: keys that something else decides.
    """
    decided = {*answers, *of_image(answers), *skip}
    return [question for question in questions.QUESTIONS if question.prompt and question.key not in decided]


def of_image(answers: Mapping[str, Any]) -> dict[str, str]:
    """What the reference of a Kratos image of one's own says of release and variant."""
    image = answers.get("kratos_image")
    if not image:
        return {}
    release = catalog.release_of_reference(image)
    found = {"release": release} if release else {}
    if catalog.is_distroless(image):
        found["variant"] = "distroless"
    elif release and catalog.is_official(image):
        found["variant"] = "default"
    return found


def interview(name: str, answers: Mapping[str, Any], skip: Collection[str], host: Host, ask: Ask) -> dict[str, Any]:
    """Asks what is open.

    Args:
        name: the environment's name.
        answers: what flags and variables said, by key.
        skip: keys not to ask.
        host: what the questions depend on beside.
        ask: puts one question.

    Returns:
        All answers by key; those where kratosctl chooses are left out.
    """
    given: dict[str, Any] = {**of_image(answers), **answers}
    for question in open_questions(answers, skip):
        answer = ask(prompt_for(name, question, given, host))
        if answer == _ANOTHER and question.kind == "port":
            answer = int(ask(_port_text(name, question, given, host)))
        if answer is not None:
            given[question.key] = answer
    return given


def refuse_impossible(name: str, answers: Mapping[str, Any], skip: Collection[str], host: Host) -> None:
    """Refuses flags that cannot work, whatever the questions are answered: before the first one is put.

    Raises:
        ChoiceImpossible, FloatingTag, ConfigurationInvalid, PortTaken.
    """
    given = {**of_image(answers), **answers}
    reason = reason_against(given)
    if reason:
        raise ChoiceImpossible(*reason)
    everything = interview(name, answers, skip, host, lambda prompt: prompt.default)
    allot(from_answers(name, everything), host)


def prompt_for(name: str, question: Question, answers: Mapping[str, Any], host: Host) -> Prompt:
    """Puts one question, given the answers to those before it."""
    if question.kind == "switch":
        return Prompt("yes-no", question.prompt, default=default_of(question, answers))
    if question.kind == "port":
        choices = _port_choices(name, question, answers, host)
    else:
        choices = tuple(
            Choice(value, value, about, _against(question, value, answers, host))
            for value, about in _values(question).items()
        )
    wanted = default_of(question, answers)
    possible = [choice.value for choice in choices if not choice.against]
    return Prompt("choice", question.prompt, choices, wanted if wanted in possible else possible[0])


def default_of(question: Question, answers: Mapping[str, Any]) -> Any:
    """The answer without a question, given those before it; as `environment.from_answers` fills it in."""
    if question.key in ("ui", "mail"):
        preset = answers.get("preset") or questions.BY_KEY["preset"].default
        return fragments.presets()["presets"][preset][question.key]
    return catalog.NEWEST.tag if question.key == "release" else question.default


def _values(question: Question) -> dict[str, str]:
    """The values of a choice, each with a line on what it is good for."""
    if question.key == "preset":
        index = fragments.presets()["presets"]
        return {name: index[name]["title"] for name in question.choices}
    if question.kind == "release":
        newest = {catalog.NEWEST.tag: f"{catalog.NEWEST.year}, the newest"}
        return newest | {r.tag: str(r.year) for r in reversed(catalog.RELEASES) if r is not catalog.NEWEST}
    about = {"database": _DATABASES, "variant": _VARIANTS}.get(question.key, {})
    return {value: about.get(value, "") for value in question.choices}


def _against(question: Question, value: Any, answers: Mapping[str, Any], host: Host) -> str:
    if question.key == "database" and value == "external" and host.no_external:
        return host.no_external
    reason = reason_against({**answers, question.key: value})
    return reason[1] if reason else ""


def in_short(answers: Mapping[str, Any]) -> str:
    """An environment of kratosctl.yaml in a few words."""
    image = " distroless" if answers.get("variant") == "distroless" else ""
    return f"Kratos {answers.get('release') or catalog.NEWEST.tag}{image} on {answers.get('database') or 'sqlite'}"


def allot(environment: Environment, host: Host) -> dict[str, int]:
    """The ports an environment would get now, by name.

    Raises:
        PortTaken: one that was asked for is held by somebody else.
    """

    def is_taken(name: str, port: int) -> bool:
        return host.is_taken(port, environment.addresses[name])

    return ports.allot(ports.wanted(environment), host.kept, set(host.ours), is_taken, host.holder)[0]


def _port_choices(name: str, question: Question, answers: Mapping[str, Any], host: Host) -> tuple[Choice, ...]:
    """The usual port, shown with its holder where it is taken, the one kratosctl would choose, and any other."""
    which = question.key.removesuffix("_port")
    environment = from_answers(name, answers)
    usual, offered = ports.DEFAULTS[which], allot(environment, host)[which]
    found = [Choice(None, str(offered), "free, the usual one" if offered == usual else "free")]
    if offered != usual and host.is_taken(usual, environment.addresses[which]):
        found.insert(0, Choice(usual, str(usual), against=f"taken by {host.holder(usual)}"))
    return (*found, Choice(_ANOTHER, "another", "type its number"))


def _port_text(name: str, question: Question, answers: Mapping[str, Any], host: Host) -> Prompt:
    def check(text: str) -> str:
        try:
            port = questions.check_value(question, text.strip())
            allot(from_answers(name, {**answers, question.key: port}), host)
        except KratosctlError as error:
            return error.what.removeprefix(f"{question.key}: ")
        return ""

    return Prompt("text", "Its number?", check=check)


def summary(environment: Environment, allotted: Mapping[str, int], writes: Sequence[str]) -> str:
    """What was chosen and what will be written, for a last look.

    Args:
        environment: what was chosen.
        allotted: its ports by name.
        writes: paths, each with a word on what it is.
    """

    def address(name: str) -> str:
        return environment.url(name, allotted[name]) if name in allotted else "no"

    configuration = ("preset", environment.preset)
    if environment.config_dir:
        configuration = ("configuration", environment.config_dir)
    rows = [
        ("release", environment.release),
        ("variant", environment.variant),
        ("database", environment.database),
        configuration,
        ("public API", address("public")),
        *([("admin API", address("admin"))] if "admin" in allotted else []),
        ("UI", address("ui")),
        ("mail inbox", address("mail")),
        *([("PostgreSQL", f"{environment.host}:{allotted['postgres']}")] if "postgres" in allotted else []),
        *(("writes" if number == 0 else "", path) for number, path in enumerate(writes)),
    ]
    lines = [f"  {label:<15}{value}" for label, value in rows]
    notes = [] if environment.config_dir else fragments.presets()["presets"][environment.preset]["notes"]
    lines += [textwrap.fill(f"- {note}", _WIDTH, initial_indent="  ", subsequent_indent="    ") for note in notes]
    return "\n".join([f"Environment {environment.name}:", *lines])
