"""Lessons about identity schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kratosctl.files import yaml_edit
from kratosctl.kratos.config_dir import value_at
from kratosctl.lessons.lesson import Broken, Ground, Lesson, Unfit

_TRAITS = ("properties", "traits")
_NEW_TRAIT = "tenant"


def require_unknown_trait(ground: Ground) -> Broken:
    """Requires a trait that the schema does not describe."""
    traits = value_at(_schema(ground), ".".join(_TRAITS))
    required = value_at(traits, "required")
    if not isinstance(required, list) or traits.get("additionalProperties") is not False or _NEW_TRAIT in required:
        raise Unfit(f"{ground.schema} does not say which traits it requires, or allows others than it describes")
    return _with(ground, [*_TRAITS, "required"], [*required, _NEW_TRAIT])


def forget_identifiers(ground: Ground) -> Broken:
    """Leaves no trait that people could sign in with."""
    text, found = ground.texts[ground.schema] if ground.schema else "", False
    for path in _identifiers(_schema(ground), []):
        text, found = yaml_edit.set_at(text, path, False, ground.schema), True
    if not found:
        raise Unfit(f"{ground.schema} has no trait that people sign in with")
    return Broken({ground.schema: text})


def _schema(ground: Ground) -> Any:
    if not ground.schema:
        raise Unfit("the default identity schema is no file of Kratos' configuration directory")
    return ground.identity


def _with(ground: Ground, path: list[str], value: Any) -> Broken:
    return Broken({ground.schema: yaml_edit.set_at(ground.texts[ground.schema], path, value, ground.schema)})


def _identifiers(schema: Any, path: list[str]) -> Iterator[list[str]]:
    """The paths of all marks that make a trait an identifier."""
    for key, below in schema.items() if isinstance(schema, dict) else ():
        if key == "ory.sh/kratos":
            credentials = value_at(below, "credentials")
            for method, said in credentials.items() if isinstance(credentials, dict) else ():
                if isinstance(said, dict) and said.get("identifier") is True:
                    yield [*path, key, "credentials", method, "identifier"]
        else:
            yield from _identifiers(below, [*path, key])


REQUIRED = Lesson(
    name="sign-up-refused",
    title="Nobody new gets in",
    teaches="how an identity schema makes the sign-up form, and refuses what that form cannot send",
    minutes=10,
    symptom="Whoever signs up fills in the whole form, submits it, and gets it back with an error.",
    look="sign up, in the UI or with `kratosctl verify {env}`, and read what the form says then",
    hints=(
        "The error names a trait. The form has no field for it: where does Kratos take the fields of the form from?",
        "The identity schema requires a trait that it does not describe. What it does not describe gets no field.",
        "Look at `required` and at `properties` of the traits in the identity schema: every name in the first must be"
        " a key of the second. Then `kratosctl restart {env} kratos`.",
    ),
    solution=f"The identity schema required the trait {_NEW_TRAIT}, and described no such trait, so no form asked for"
    " it. Describe it (it then becomes a field), or do not require it.",
    breaks=require_unknown_trait,
    rules=("identity-schema",),
)

IDENTIFIER = Lesson(
    name="nothing-to-sign-in-with",
    title="Accounts nobody could sign in to",
    teaches="that the key ory.sh/kratos of an identity schema says which trait people sign in with",
    minutes=10,
    symptom="Those who have an account sign in as ever. Whoever signs up is told that something is missing.",
    look="sign up, in the UI or with `kratosctl verify {env}`, and read what the form says then",
    hints=(
        "Kratos misses an identifier, something people type to say who they are. What tells it which trait that is?",
        "The identity schema marks no trait as an identifier any more.",
        'Under "ory.sh/kratos" of the e-mail trait, credentials.<method>.identifier has to be true. Then'
        " `kratosctl restart {env} kratos`.",
    ),
    solution="In the identity schema, identifier was set to false for every method. With true, Kratos keeps the"
    " trait's value as what people sign in with.",
    breaks=forget_identifiers,
    rules=("identity-schema",),
)
