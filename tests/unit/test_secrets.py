"""The secrets of an environment: made once, kept, compared, rotated."""

from __future__ import annotations

import itertools

import pytest

from kratosctl.errors import SecretTooShort
from kratosctl.stack import secrets
from kratosctl.stack.secrets import Secrets


def complete(kept: Secrets, **variables: str) -> Secrets:
    numbers = itertools.count()
    return secrets.complete(kept, variables, lambda: f"{next(numbers):032d}")


def test_what_exists_is_kept() -> None:
    first = complete(Secrets())
    assert secrets.complete(first, {}, lambda: pytest.fail("made one more")) == first


def test_a_given_secret_comes_first_and_the_old_stay() -> None:
    kept = Secrets(default=("a" * 16,))
    assert complete(kept, SECRETS_DEFAULT="b" * 16).default == ("b" * 16, "a" * 16)


@pytest.mark.parametrize(("name", "value"), [("SECRETS_DEFAULT", "short"), ("SECRETS_CIPHER", "c" * 31)])
def test_a_short_secret_is_refused_without_being_shown(name: str, value: str) -> None:
    with pytest.raises(SecretTooShort) as caught:
        complete(Secrets(), **{name: value})
    assert value not in "\n".join(caught.value.lines())


def test_nothing_is_empty_and_something_is_not() -> None:
    assert secrets.is_empty(Secrets(ui_cookie="x"))
    assert not secrets.is_empty(Secrets(cipher=("c" * 32,)))


def test_rotation_puts_new_ones_first() -> None:
    before = complete(Secrets())
    after = secrets.rotate(before, ("cookie",), lambda: "n" * 32)
    assert after.cookie == ("n" * 32, *before.cookie)
    assert (after.default, after.cipher) == (before.default, before.cipher)
