"""The table of providers: every name that the configuration takes is made, and is what it says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import get_args

import pytest

from craton import config_tables
from craton.app import checked_provider
from craton.models.providers.provider import Upstream
from craton.working import PROVIDERS

# They need a file; `tests/integration/rehearsal` and `tests/acceptance/test_record_replay.py` have theirs.
ASK_NOBODY = {"replay", "script"}


def test_every_name_of_the_configuration_is_in_the_table() -> None:
    """But for `local`, which needs the supervisor."""
    assert set(PROVIDERS) == set(get_args(config_tables.ProviderName)) - {"local"}


@pytest.mark.parametrize("name", [*sorted(set(PROVIDERS) - ASK_NOBODY), "local"])
def test_a_provider_has_its_name_and_methods(name: str) -> None:
    """What the port demands is there."""

    async def main() -> None:
        provider = checked_provider(Upstream(name, "http://127.0.0.1:9/v1", "m", region="us-east-1"))
        assert provider.name == name
        assert provider.dialect.streams
        for method in ("converse", "converse_stream", "invoke", "invoke_stream", "count_tokens"):
            assert callable(getattr(provider, method))
        await provider.close()

    asyncio.run(main())


def test_vendors_are_loaded_when_they_are_named() -> None:
    """A server that uses none of them does not pay for them."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import craton.app, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env={**os.environ},
    ).stdout.split()  # fmt: skip
    vendors = {f"craton.models.providers.{name}" for name in PROVIDERS if name != "openai"}
    assert not vendors & set(loaded)
    assert "craton.models.dialects.gemini.dialect" not in loaded
