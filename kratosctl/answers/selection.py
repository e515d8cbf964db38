"""Which environment is meant, and what was asked for it: flag, environment variable, kratosctl.yaml, in this order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kratosctl import questions
from kratosctl.answers import configuration_file
from kratosctl.environment import Environment, from_answers
from kratosctl.errors import ConfigurationInvalid, KratosctlError

# always written to kratosctl.yaml: what a colleague needs to get the same
_SAVED = ("release", "variant", "database", "preset", "ui", "mail")


@dataclass(frozen=True)
class Selection:
    """
    Attributes:
        name: the environment's name.
        answers: values by key, from flags, variables and kratosctl.yaml.
        known: kratosctl.yaml holds this environment.
        differs: keys that flags or variables set otherwise than kratosctl.yaml.
        unused_dsn: the database that DSN names where kratosctl.yaml names another, and nobody says which is meant.
    """

    name: str
    answers: Mapping[str, Any]
    known: bool
    differs: tuple[str, ...] = ()
    unused_dsn: str = ""


def select(directory: Path, name: str | None, given: Mapping[str, Any], variables: Mapping[str, str]) -> Selection:
    """Picks the environment and merges what was said about it.

    Args:
        directory: where kratosctl.yaml lies.
        name: the environment; None picks the only one of kratosctl.yaml, or `dev` where there is none.
        given: flags by key; None where nothing was given.
        variables: the process environment: KRATOSCTL_ variables, also for commands without these flags, and DSN.

    Raises:
        UsageError: several environments, and none named.
        ConfigurationInvalid, UnknownKey, NameInvalid: wrong values, with where they stand.
    """
    found = configuration_file.load(directory)
    name = questions.check_name(name) if name else questions.the_one(list(found), list(found))
    flags, kept = said(given, variables), found.get(name, {})
    answers = {**kept, **flags}
    dsn, unused = variables.get("DSN"), ""
    if dsn and answers.get("database", "external") == "external":
        named = _database_of_dsn(dsn)
        if named != answers.setdefault("database", named):
            raise ConfigurationInvalid("the database is external, but DSN is memory", fix="use --database memory")
    elif dsn and "database" not in flags:
        named = "memory" if dsn == "memory" else "external"
        unused = named if named != answers["database"] else ""
    differs = tuple(key for key, value in answers.items() if name in found and kept.get(key) != value)
    return Selection(name, answers, name in found, differs, unused)


def refuse_other_dsn(chosen: Selection) -> None:
    """For what would reach or migrate a database: stops where DSN and kratosctl.yaml do not mean the same one.

    Raises:
        ConfigurationInvalid: with how to say which is meant.
    """
    if chosen.unused_dsn:
        named = chosen.answers["database"]
        raise ConfigurationInvalid(
            f"DSN is set, but the database of environment {chosen.name} is {named} in kratosctl.yaml",
            "what is not meant must not be migrated",
            f"say which: --database {chosen.unused_dsn}, or --database {named}, or unset DSN",
        )


def said(given: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """What flags and KRATOSCTL_ variables say, checked: flags first.

    Raises:
        ConfigurationInvalid: a value that does not fit.
    """
    found = {question.key: variables.get(question.variable) or None for question in questions.QUESTIONS}
    found |= {key: value for key, value in given.items() if value is not None}
    return {key: _checked(key, value) for key, value in found.items() if value is not None}


def as_it_runs(chosen: Selection, labels: Mapping[str, str]) -> Selection:
    """An environment that was taken out of kratosctl.yaml stays what it is, rather than become the newest release.

    Args:
        chosen: the selection; one that kratosctl.yaml names is returned as it is.
        labels: of its Kratos container.
    """
    is_now = {key: labels[key] for key in ("release", "variant", "database") if key in labels}
    return chosen if chosen.known else replace(chosen, answers={**chosen.answers, **is_now})


def saved_answers(answers: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    """What kratosctl.yaml keeps of an environment: the main facts, pinned, and all that was asked for beside."""
    beside = {key: value for key, value in answers.items() if key not in _SAVED and value is not None}
    kept = {key: getattr(environment, key) for key in _SAVED} | beside
    if environment.config_dir and "preset" not in answers:
        del kept["preset"]
    return kept


def without_effect(answers: Mapping[str, Any], environment: Environment) -> tuple[str, ...]:
    """Says of what was asked for in vain why it is: it belongs to what the environment does not have."""
    database = f"the database is {environment.database}"
    needs = {
        "postgres_port": (environment.database == "postgres", database),
        "ui_port": (environment.ui, "there is no self-service UI"),
        "mail_port": (environment.mail, "there is no mail inbox"),
        "seed": (environment.database != "external", f"{database}, and `up` makes nobody in it"),
        "expose_admin_without_authentication": (environment.admin_port, "the admin API is not published: --admin-port"),
    }
    return tuple(
        f"{questions.BY_KEY[key].flag.split('/')[0]} has no effect: {why}"
        for key, (there, why) in needs.items()
        if answers.get(key) and not there
    )


def environment_of(selection: Selection) -> Environment:
    """The model of a selection.

    Raises:
        ChoiceImpossible, FloatingTag, ConfigurationInvalid.
    """
    return from_answers(selection.name, selection.answers)


def _checked(key: str, value: Any) -> Any:
    question = questions.BY_KEY[key]
    try:
        return questions.check_value(question, value)
    except KratosctlError as error:
        said = error.what.removeprefix(f"{key}: ")
        error.what = f"{question.flag.split('/')[0]} (or {question.variable}): {said}"
        raise


def _database_of_dsn(dsn: str) -> str:
    if dsn == "memory":
        return "memory"
    if not dsn.isprintable():
        raise ConfigurationInvalid("DSN is not plain text", "it holds line breaks or bytes that are not UTF-8")
    scheme, colon, _ = dsn.partition("://")
    if scheme in ("postgres", "postgresql", "cockroach") and re.search("%(?![0-9a-fA-F]{2})", dsn):
        raise ConfigurationInvalid(
            "DSN holds a % that encodes nothing",
            "Kratos would retry it in silence for five minutes",
            "write special characters of its password percent-encoded: % as %25, @ as %40, / as %2F",
        )
    if scheme in ("postgres", "postgresql", "mysql", "cockroach"):
        return "external"
    if scheme == "sqlite":
        raise ConfigurationInvalid(
            "DSN names an SQLite file inside a container",
            "it would be gone with it",
            "unset DSN, and use --database sqlite",
        )
    raise ConfigurationInvalid(
        # what has no scheme may begin with its password
        f"DSN has scheme {scheme[:20]!r}" if colon else "DSN has no scheme",
        "Kratos knows postgres, mysql, cockroach and memory",
        "correct or unset DSN",
    )
