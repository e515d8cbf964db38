"""Asking at the terminal, with questionary. Prompts go to standard error: standard output is for results.

Ctrl-C raises KeyboardInterrupt and Ctrl-D EOFError, at every prompt and at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kratosctl.answers.asking import Choice, Prompt

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output
    from questionary import Question

_STYLE = [
    ("qmark", "fg:ansicyan bold"),
    ("question", "bold"),
    ("instruction", "fg:ansibrightblack"),
    ("pointer", "fg:ansicyan bold"),
    ("highlighted", "fg:ansicyan bold"),
    ("disabled", "fg:ansibrightblack"),
    ("answer", "fg:ansicyan"),
]


# of longer lists people type a part of what they look for
_MANY = 10


def ask(prompt: Prompt) -> Any:
    """Asks one question and returns the answer, in its proper type.

    Raises:
        KeyboardInterrupt, EOFError: Ctrl-C, Ctrl-D.
    """
    if prompt.kind == "yes-no":
        return confirm(prompt.message, bool(prompt.default))
    if prompt.kind == "text":
        return text(prompt.message, prompt.check)
    return select(prompt.message, prompt.choices, prompt.default)


def select(message: str, choices: Sequence[Choice], default: Any = None) -> Any:
    """Lets a person pick one of the choices. Those that cannot work are shown with the reason, and passed over.

    Args:
        message: the question.
        choices: in the order shown; at least one can be picked.
        default: value of the one that is picked by Enter alone; without it the first that can be.

    Returns:
        The value of the choice.
    """
    import questionary

    width = max(len(choice.title) + (3 if choice.against else 2) for choice in choices)
    shown = [
        questionary.Choice(_line(choice, width), value=number, disabled=choice.against or None)
        for number, choice in enumerate(choices)
    ]
    many = len(choices) > _MANY
    question = questionary.select(
        message,
        shown,
        instruction="(arrows, or a part of it, then Enter)" if many else "(arrows, then Enter)",
        use_search_filter=many,
        use_jk_keys=not many,
        style=questionary.Style(_STYLE),
        output=_output(),
    )
    possible = [number for number, choice in enumerate(choices) if not choice.against]
    start = next((number for number in possible if choices[number].value == default), possible[0])
    _finish_select(question, [choice.title for choice in choices], start)
    return choices[_run(question)].value


def confirm(message: str, default: bool) -> bool:
    """Asks a yes-or-no question, answered by y or n and Enter; Enter alone takes the default."""
    import questionary

    # a y or n that counted at once would leave the Enter that many type behind it to the next question
    question = questionary.confirm(
        message, default=default, auto_enter=False, style=questionary.Style(_STYLE), output=_output()
    )
    return bool(_run(question))


def text(message: str, check: Callable[[str], str]) -> str:
    """Asks for a line of text.

    Args:
        message: the question.
        check: says why a text cannot be taken; empty where it can.
    """
    import questionary

    question = questionary.text(
        message,
        validate=lambda said: check(said) or True,
        validate_while_typing=False,
        style=questionary.Style(_STYLE),
        output=_output(),
    )
    return str(_run(question))


def _line(choice: Choice, width: int) -> str:
    if choice.against:
        # questionary puts "- " before it and the reason in brackets behind it
        return choice.title.ljust(width - 3)
    return (choice.title.ljust(width) + choice.about).rstrip()


def _output() -> Output:
    """Where prompts are shown. Keys are read from standard input, which is prompt_toolkit's own choice."""
    from prompt_toolkit.output import create_output

    return create_output(sys.stderr)


def _finish_select(question: Question, titles: Sequence[str], start: int) -> None:
    """Puts the pointer on the default, lets long lines wrap, and leaves only the title behind as the answer."""
    from prompt_toolkit.filters import to_filter
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings
    from prompt_toolkit.keys import Keys
    from questionary.prompts.common import InquirerControl

    window = next(w for w in question.application.layout.find_all_windows() if isinstance(w.content, InquirerControl))
    control = window.content
    assert isinstance(control, InquirerControl)
    control.pointed_at = start
    window.wrap_lines = to_filter(True)
    enter = KeyBindings()

    @enter.add(Keys.ControlM, eager=True)
    def _(event: KeyPressEvent) -> None:
        chosen = control.get_pointed_at()
        if chosen.disabled:
            return
        number = control.choices.index(chosen)
        # what was typed to find it has done its part
        control.search_filter, control.pointed_at = None, number
        chosen.title = titles[number]
        control.is_answered = True
        event.app.exit(result=number)

    question.application.key_bindings = merge_key_bindings([question.application.key_bindings or KeyBindings(), enter])


def _run(question: Question) -> Any:
    """Asks. questionary knows Ctrl-C; Ctrl-D does nothing in its lists and its yes-or-no questions, so it is added."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings
    from prompt_toolkit.keys import Keys

    leave = KeyBindings()

    @leave.add(Keys.ControlD, eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError, style="class:aborting")

    question.application.key_bindings = merge_key_bindings([question.application.key_bindings or KeyBindings(), leave])
    return question.unsafe_ask()
