"""The documents say what the code does: every key, every command, every example, every link."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from craton import config_containers, config_tables, config_watching
from craton.cli.main import COMMANDS
from craton.models.dialects.all import DIALECTS

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def struct_of(kind: Any) -> Any:
    """The table's type; one that need not be there is a union with None."""
    return next((one for one in get_args(kind) if one is not type(None)), kind)


TABLES = {
    **{
        f"[{field.encode_name}]": struct_of(field.type)
        for field in msgspec.structs.fields(config_tables.ConfigFile)
        if field.name not in {"model", "account", "budget"}
    },
    "[[model]]": config_tables.ModelTable,
    "[[model.target]]": config_tables.TargetTable,
    "[[compute.scale]]": config_tables.ScaleTable,
    "[model.container]": config_containers.ContainerTable,
    "[[marketplace.model]]": config_containers.MarketplaceModelTable,
    "[[account]]": config_tables.AccountTable,
    "[[budget]]": config_watching.BudgetTable,
}


@pytest.mark.parametrize("table", list(TABLES))
def test_every_key_of_the_configuration_is_documented(table: str) -> None:
    """docs/configuration.md has a heading for the table and names each of its keys there."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    sections = re.split(r"^#+ ", text, flags=re.MULTILINE)
    mine = [section for section in sections if f"`{table}`" in section.partition("\n")[0]]
    assert len(mine) == 1, f"{table} has no section"
    for field in msgspec.structs.fields(TABLES[table]):
        assert f"`{field.encode_name}`" in mine[0], f"{table} {field.name}"


def test_every_command_is_documented() -> None:
    """docs/cli.md lists each command."""
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"`craton {name}`" not in text] == []


def test_every_dialect_is_documented() -> None:
    """docs/configuration.md names each value of `dialect`."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [name for name in DIALECTS if f"`{name}`" not in text] == []


def blocks() -> Iterator[str]:
    for page in PAGES:
        yield from re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    yield (ROOT / "examples" / "two-vendors.toml").read_text()


@pytest.mark.parametrize("block", list(blocks()))
def test_examples_of_configuration_are_valid(block: str) -> None:
    """What a reader copies is accepted (a target alone belongs to a model)."""
    text = block if "[[model]]" in block or "[[model.target]]" not in block else f'[[model]]\nid = "x"\n{block}'
    msgspec.convert(tomllib.loads(text), config_tables.ConfigFile)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the project has a file at its end."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_programs_know_nothing_of_craton(path: Path) -> None:
    """They compile, and import only what any Bedrock program has."""
    text = path.read_text()
    compile(text, path.name, "exec")
    assert "import craton" not in text
    assert "from craton" not in text
    assert "endpoint_url" not in text
