"""What the doctor says of invocation logs."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from craton.cli.checks_logs import deliveries
from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.features.invocations.delivery import Counted
from craton.infra.spool import folder
from craton.infra.spool.port import Losses


def said(home: Path) -> list[tuple[str, str]]:
    place: Any = SimpleNamespace(settings=Settings(home=str(home), file=ConfigFile()))
    return [(one.level, one.text) for one in deliveries(place)]


def test_the_doctor_is_silent_without_logs(tmp_path: Path) -> None:
    """Who logs nothing hears nothing."""
    assert said(tmp_path) == []


def test_the_doctor_tells_of_waiting_and_of_losses(tmp_path: Path) -> None:
    """A sink that is away, since when, and why; and how much was given up."""
    spool = tmp_path / "spool" / "invocations"
    folder.make(spool)
    began = f"{time.time_ns() - 600_000_000_000:020d}"
    (spool / f"{began}_111122223333_us-east-1_abc.spool").write_bytes(b"x" * 2_000_000)
    folder.replace(spool / folder.DELIVERED, Counted(error="the bucket logs: AccessDenied"))
    folder.write_losses(spool, Losses(budget=7))
    waiting, lost = said(tmp_path)
    assert waiting == (
        "warning",
        "1 segments (2.0 MB of 1074) wait since 10 minutes; the last try: the bucket logs: AccessDenied",
    )
    assert lost == ("warning", "7 records were lost (7 to the disk budget, 0 to memory)")
