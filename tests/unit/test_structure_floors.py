"""The house keeps its floors: imports go down only, files and functions stay small, nothing hides behind a vague name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "src" / "craton"
# Room → floor; a room may import from its own floor's row below only, or from itself. `config` and `__init__` are below all.
FLOORS = {
    "cli": 9, "app": 8, "working": 7, "labor": 7, "functioning": 7, "supervision": 6, "measuring": 6, "offering": 6, "storing": 5, "sharing": 5.5, "rotating": 6, "exporting": 5, "budget_alarms": 4.5,
    "front": 4, "services": 4, "workflows": 4,
    "features": 3,
    "models": 2, "context": 2,
    "infra": 1, "aws": 0,
    "config": 0.5, "config_tables": 0, "config_containers": -1, "config_events": -1, "config_places": -1, "config_watching": -1,
}  # fmt: skip
# Inside features and models (DESIGN, part 2).
MAY_IMPORT = {
    "features": {"rag": {"inference"}, "agents": {"inference"}, "inference": {"guardrails", "metering"}},
    "models": {"providers": {"dialects", "canon"}, "dialects": {"canon"}, "canon": set(), "catalog": set()},
}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}


def sources() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Every import of craton's own, as parts behind `craton`, those for type checkers left out."""
    left = [tree]
    while left:
        node = left.pop()
        if type_checking(node) or isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "craton":
            parts = tuple(node.module.split(".")[1:])
            yield from ((*parts, name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            names = [name.name.split(".") for name in node.names]
            yield from (tuple(name[1:]) for name in names if name[0] == "craton")
        else:
            left += ast.iter_child_nodes(node)


def room(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


@cache
def parsed() -> list[tuple[Path, str, ast.Module]]:
    """Every file, its text and what it says."""
    return [(path, text := path.read_text(), ast.parse(text)) for path in sources()]


def trespasses(here: tuple[str, ...], there: tuple[str, ...]) -> bool:
    """Whether a file of room `here` may not import `there`."""
    if there[0] == "__version__":
        return False
    if here[0] == "engine" or there[0] == "engine":  # a program of its own
        return here[0] != there[0]
    if there[0] != here[0]:
        return FLOORS[there[0]] >= FLOORS[here[0]]
    if here[0] in MAY_IMPORT and len(here) > 2 and len(there) > 2 and here[1] != there[1]:
        return there[1] not in MAY_IMPORT[here[0]].get(here[1], set())
    return False


def test_imports_go_down_only() -> None:
    """A file imports from its own room or from a lower floor."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {'.'.join(there)}"
        for path, _, tree in parsed()
        if room(path)[0] not in ("__init__", "__main__")
        for there in imports(tree)
        if trespasses(room(path), there)
    ]
    assert wrong == []


def test_files_and_functions_stay_small() -> None:
    """No file passes 500 lines and no function 60."""
    wrong = []
    for path, text, tree in parsed():
        if text.count("\n") > MAX_FILE_LINES:
            wrong.append(str(path.relative_to(ROOT)))
        for node in ast.walk(tree):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES:
                wrong.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert wrong == []


def test_no_vague_names() -> None:
    """No file is called utils or the like."""
    assert not [path for path in sources() if path.stem.strip("_") in VAGUE]


def test_each_file_says_what_it_owns() -> None:
    """Each file opens with a docstring."""
    assert not [path for path, text, tree in parsed() if text.strip() and not ast.get_docstring(tree)]
