"""The rooms of the house: imports go one way through them, so that a change in one is read without the others."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "kratosctl"
MODULES = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
# they touch neither Docker nor the terminal nor the file system
PURE = ("stack", "stages.plan", "answers.asking", "questions", "environment", "catalog", "states", "urls", "results")
EFFECTS = {
    "engine.program",
    "engine.client",
    "engine.reading",
    "engine.socket",
    "engine.window",
    "files.workspace",
    "answers.prompting",
}


def room(module: str) -> str:
    """The directory a module is in; one that lies in the package itself is a room of its own."""
    return module.partition(".")[0]


def imports(module: str) -> set[str]:
    """The modules of ours that one imports, late imports included."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "kratosctl":
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in MODULES else base)
    return found - {""}


def test_no_room_is_imported_by_one_that_it_imports() -> None:
    rooms: dict[str, set[str]] = {}
    for module in MODULES:
        rooms.setdefault(room(module), set()).update({room(one) for one in imports(module)} - {room(module)})

    TopologicalSorter(rooms).prepare()  # names the circle if there is one


def test_no_module_is_imported_by_one_that_it_imports() -> None:
    TopologicalSorter({module: imports(module) - {module} for module in MODULES}).prepare()


def test_what_is_pure_imports_nothing_that_acts() -> None:
    acting = {(module, one) for module in MODULES if module.startswith(PURE) for one in imports(module) & EFFECTS}

    assert not acting
