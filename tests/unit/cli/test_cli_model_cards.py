"""`craton models card`: what comes with Craton has a card of ours."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from craton.cli.models import models
from craton.models.catalog.local import PACKAGE, boxed_models


def card(model_id: str, home: Path) -> str:
    found = CliRunner().invoke(models, ["card", model_id, "--home", str(home)])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize("model", [one.id for one in boxed_models() if not one.packaged])
def test_what_is_in_the_box_has_a_card(model: str, tmp_path: Path) -> None:
    """Each says which model it is of."""
    assert card(model, tmp_path).startswith("# ")


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="the package with the embedding model is not installed")
def test_the_packaged_model_has_a_card_of_ours(tmp_path: Path) -> None:
    """With this project's figures, not the README that lies in the package."""
    found = card("craton.minilm-l6-v2", tmp_path)
    assert found.startswith("# craton.minilm-l6-v2")
    assert "int8" in found
