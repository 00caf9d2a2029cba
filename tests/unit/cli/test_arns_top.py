"""`craton top` and `craton models`: what a person reads of a fleet."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from craton.cli import deployed
from craton.cli.deployed import Known
from craton.cli.refusal import Refused
from craton.cli.top import frame, trouble_of

ARN = "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/1zd0nxukt21b"


def replica(ident: str, **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "state": "ready",
        "node": "",
        "address": "",
        "pid": 71,
        "rss_bytes": 0,
        "pss_bytes": 64 << 20,
        "uptime_s": 130.0,
        "restarts": 0,
        "outstanding": 2,
        "tokens": 90,
        "tokens_per_s": 30.0,
        "current": True,
        "adapters": [],
        "last_error": "",
        **more,
    }


def row(ident: str = ARN, *replicas: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "origin": "provisioned",
        "note": "",
        "state": "ready",
        "wanted": 2,
        "ready": len(replicas),
        "least": 2,
        "most": 2,
        "priority": 100,
        "outstanding": 4,
        "queue": 1,
        "wait_s": 0.5,
        "oldest_wait_s": 0.7,
        "requests_per_s": 3.0,
        "refused_per_s": 0.0,
        "tokens_per_s": 999.0,
        "pid": 71,
        "rss_bytes": 0,
        "pss_bytes": 128 << 20,
        "uptime_s": 130.0,
        "restarts": 0,
        "lacks": "",
        "last_error": "",
        "retry_after_s": 0.0,
        "replicas": list(replicas),
        **more,
    }


IDLE = row("craton.chat-mini-v1:0", state="stopped", wanted=0, outstanding=0, queue=0, pss_bytes=0, tokens_per_s=0.0)
TITLES = {ARN: "provisioned-model/1zd0nxukt21b (fast)", "craton.chat-mini-v1:0": "craton.chat-mini-v1:0"}


def drawn(*rows: dict[str, Any], width: int = 120) -> str:
    paper = io.StringIO()
    Console(file=paper, width=width).print(frame(list(rows), TITLES, width))
    return paper.getvalue()


def test_a_frame_shows_what_serves_and_counts_what_sleeps() -> None:
    """Sums on top, a line for each model and each of its replicas, the tokens that replicas count themselves."""
    text = drawn(row(ARN, replica("pm.0"), replica("pm.1", state="draining", current=False)), IDLE, width=140)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "1 model, 2 replicas ready · 4 running, 1 waiting · 60 tokens/s · 128 MiB"
    assert "provisioned-model/1zd0nxukt21b (fast) ready 2/2 4 1 0.7 s 3.0 60 128 MiB 2 min" in lines
    assert "pm.0 ready 2 30 64 MiB 2 min" in lines
    assert "pm.1 draining (former) 2 30 64 MiB 2 min" in lines
    assert lines[-1] == "1 model sleeps."


def test_a_narrow_terminal_gets_fewer_columns_and_whole_numbers() -> None:
    """No line is broken; the name gives way first."""
    text = drawn(row(ARN, replica("a-replica-with-quite-a-long-name.0"), replica("pm.1")), width=70)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 70
    assert "WAITED" not in text
    (mine,) = [line for line in lines if "ready  " in line and "2/2" in line]
    assert mine.split()[-3:] == ["60", "128", "MiB"]
    assert "…" in text


def test_nothing_serves() -> None:
    """One line says so, and there is no empty table."""
    text = drawn(IDLE)
    assert text.startswith("0 models, 0 replicas ready")
    assert "MODEL" not in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": "failed", "last_error": "exit 3\n  cannot load"}, "exit 3 cannot load"),
        ({"lacks": "900 MiB of memory"}, "no room for another replica: 900 MiB of memory"),
        ({"last_error": "long ago"}, ""),
    ],
)
def test_trouble_is_told_while_it_lasts(more: dict[str, Any], words: str) -> None:
    """In one line under the table; what a model has recovered from is not."""
    assert trouble_of(row(ARN, **more)) == words


MODELS = [
    Known(id="craton.chat-mini-v1:0", kind="chat", origin="box"),
    Known(id=ARN, name="fast", kind="chat", origin="provisioned"),
    Known(id=ARN + "2", name="twin", kind="chat", origin="provisioned"),
    Known(id=ARN + "3", name="twin", kind="chat", origin="provisioned"),
]


@pytest.mark.parametrize("words", [ARN, "provisioned-model/1zd0nxukt21b", "fast"])
def test_a_model_is_meant_by_its_arn_its_end_or_its_name(words: str) -> None:
    """Whichever is at hand."""
    assert deployed.find(MODELS, words).id == ARN


@pytest.mark.parametrize(("words", "told"), [("twin", "the name of several"), ("nobody", "there is no model nobody")])
def test_a_name_that_says_too_little_is_refused(words: str, told: str) -> None:
    """Two of a name, or none."""
    with pytest.raises(Refused, match=told):
        deployed.find(MODELS, words)


def test_the_table_has_a_line_for_each_replica() -> None:
    """State and process, load, speed, memory; the model's own line sums them up."""
    known = row(ARN, replica("pm.0"), replica("pm.1", state="failed", pid=0, last_error="out of\nmemory"))
    lines = deployed.cells(deployed.described(MODELS[1], known))
    assert lines[0][0] == "provisioned-model/1zd0nxukt21b (fast)"
    assert lines[0][3:7] == ("ready", "2/2", "4 +1", "60")
    assert lines[1][:4] == ("  pm.0", "", "", "ready, pid 71")
    assert (lines[2][3], lines[2][-1]) == ("failed", "out of memory")
    assert all(len(line) == len(deployed.HEADER) for line in lines)


def test_an_error_is_told_in_a_line() -> None:
    """How the process ended and the reason that it gave, not the chatter before."""
    text = 'exit code 1\nengine state=loading model=x\nengine state=failed reason="no such file"\nengine state=stopped'
    assert deployed.in_short(text) == "exit code 1: no such file"
    assert deployed.in_short("killed\n  by signal 9") == "killed by signal 9"


def test_what_nobody_asked_for_sleeps() -> None:
    """Without a server, or before the first request; what cannot be run at all says why."""
    assert deployed.described(MODELS[0], None)["state"] == "stopped"
    broken = Known(id="x", fault="no weights")
    assert [deployed.described(broken, None)[key] for key in ("state", "last_error")] == ["broken", "no weights"]
