"""Under load, vendors die, stall, refuse and lie, and come back: nobody who could be served is not, nobody is twice.

At every moment one vendor at least is well, and stays so for longer than a request lives. What is broken changes all
the time, by a seed.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.chaos import ERRORS, Client, Vendor
from tests.running import Running

MODEL = "house.chaos-v1"
CLIENTS = 64
PHASES = 4
HALF_S = 0.7
BROKEN = [*ERRORS, "stall", "cut", "dead"]

CONFIG = f"""
[routing]
breaker_open_s = 0.2
breaker_open_max_s = 0.5
retries = 2

[[model]]
id = "{MODEL}"
"""


def target(vendor: Vendor, extra: str) -> str:
    url = f"http://127.0.0.1:{vendor.port}/v1"
    return f'[[model.target]]\nprovider = "openai"\nbase_url = "{url}"\nmodel = "m"\ntimeout_s = 0.5\n{extra}\n'


async def turn(vendor: Vendor, mode: str) -> None:
    """Bring a vendor into a mode, out of its grave if need be."""
    if vendor.mode == "dead" and mode != "dead":
        await vendor.start()
    if mode == "dead" and vendor.mode != "dead":
        await vendor.kill()
    vendor.mode = mode


async def upset(vendors: list[Vendor], dice: random.Random) -> None:
    """In the first half of each phase two vendors are well, in the second the one that the next begins with."""
    for phase in range(PHASES):
        ending, lasting, broken = (vendors[(phase + step) % 3] for step in range(3))
        await turn(lasting, "well")
        await turn(ending, "well")
        await turn(broken, dice.choice(BROKEN))
        await asyncio.sleep(HALF_S)
        await turn(ending, dice.choice(BROKEN))
        await asyncio.sleep(HALF_S)


async def scene(
    home: Path, *, streams: bool, hedge: str = ""
) -> tuple[list[Vendor], list[Client], list[dict[str, Any]]]:
    vendors = [Vendor(name) for name in ("A", "B", "C")]
    for vendor in vendors:
        await vendor.start()
    targets = target(vendors[0], "weight = 2") + target(vendors[1], "") + target(vendors[2], "fallback = true")
    server = Running(home, CONFIG + hedge + targets)
    await asyncio.to_thread(server.__enter__)
    try:
        clients = [Client(server, number, MODEL) for number in range(CLIENTS)]
        end = time.monotonic() + PHASES * 2 * HALF_S
        load = [asyncio.create_task(client.ask_until(end, streams=streams)) for client in clients]
        await upset(vendors, random.Random(7))
        await asyncio.gather(*load)
        rows = await asyncio.to_thread(seen_by, server)
        assert "Traceback" not in server.output()
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
        for vendor in vendors:
            if vendor.mode != "dead":
                await vendor.kill()
    return vendors, clients, rows


def seen_by(server: Running) -> list[dict[str, Any]]:
    with urllib.request.urlopen(server.url + "/craton/targets") as answer:
        rows: list[dict[str, Any]] = json.load(answer)["targets"]
    return rows


def just_before_a_kill(vendors: list[Vendor], ident: bytes) -> bool:
    """An answer that was written in the moment of a kill may never have left the vendor's machine."""
    return any(
        0 <= killed - vendor.done[ident] < 0.1
        for vendor in vendors
        if ident in vendor.done
        for killed in vendor.killed_at
    )


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streams"])
def test_nobody_is_lost_and_nobody_is_served_twice(tmp_path: Path, streams: bool) -> None:
    """Every request has its own answer; each was completed by one vendor; only a stream that had begun may be cut."""
    vendors, clients, rows = asyncio.run(scene(tmp_path, streams=streams))
    answers = {ident: answer for client in clients for ident, answer in client.answers.items()}
    refused = {ident: answer for client in clients for ident, answer in client.refused.items()}
    assert len(answers) > 500
    begun = set().union(*(vendor.begun for vendor in vendors))
    lost = {ident: answer for ident, answer in refused.items() if ident not in begun}
    assert not lost, (len(lost), next(iter(lost.items())))
    assert all(ident in answer for ident, answer in answers.items())
    twice = [ident for ident in answers if sum(ident in vendor.done for vendor in vendors) > 1]
    assert not [ident for ident in twice if not just_before_a_kill(vendors, ident)]
    assert not [ident for vendor in vendors for ident in vendor.again]
    assert all(vendor.asked > 50 for vendor in vendors)
    assert {row["outstanding"] for row in rows} == {0}
    assert sum(row["answered"] for row in rows) >= len(answers)


def test_hedging_under_chaos_leaves_nothing_behind(tmp_path: Path) -> None:
    """Two vendors may work on one request then; each caller still has one answer, and no place stays taken."""
    _, clients, rows = asyncio.run(scene(tmp_path, streams=True, hedge="hedge_after_ms = 15\n"))
    answers = {ident: answer for client in clients for ident, answer in client.answers.items()}
    assert len(answers) > 300
    assert all(ident in answer for ident, answer in answers.items())
    assert {row["outstanding"] for row in rows} == {0}
    assert sum(row["left"] for row in rows) > 0
