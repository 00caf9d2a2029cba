"""The text that Prometheus reads: what a server did since it began and how it stands.

Owns names, labels and the text's form (version 0.0.4). Counters start at 0 with the server, as Prometheus expects. Pure:
everything is given. Source: Prometheus, "Exposition formats"; its own client's parser reads the text in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from craton.features.inference.targets.report import TargetRow

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_UNSAFE = re.compile(r'[\\"\n]')
_ESCAPED = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


class Standing(msgspec.Struct, kw_only=True):
    """How a server stands. `models`: the families of models, as `prometheus_models` makes them; `exported`: telemetry
    by signal and what became of it; `budgets`: spent of how much; `memory`: bytes by process; `delivery`: counts of log delivery by name; `deployments`: what
    is served by replicas, as `models.status` has it.
    """

    models: list[bytes] = []
    lost: int = 0
    exported: dict[str, dict[str, int]] = {}
    budgets: dict[str, tuple[float, float]] = {}
    jobs: dict[str, int] = {}
    workers: dict[str, int] = {}
    targets: list[tuple[int, TargetRow]] = []
    memory: dict[str, int] = {}
    delivery: dict[str, float] = {}
    deployments: list[Mapping[str, Any]] = []
    version: str = ""


def text(standing: Standing) -> bytes:
    """All families, in one body."""
    lines = family("craton_info", "gauge", "The version of the server.", [(labelled(version=standing.version), 1)])
    lines += family("craton_uncounted_total", "counter", "Invocations no metric holds.", [("", standing.lost)])
    for place, name, about in (
        (0, "craton_budget_spent", "What was spent of a budget in its period."),
        (1, "craton_budget_amount", "What may be spent of it."),
    ):
        budgets = [(labelled(budget=key), both[place]) for key, both in sorted(standing.budgets.items())]
        lines += family(name, "gauge", about, budgets)
    for name, signal, about in (
        ("craton_spans", "traces", "Traced invocations by what became of their spans."),
        ("craton_log_records", "logs", "Records of the log by what became of them on their way to the collector."),
        (
            "craton_metric_reports",
            "metrics",
            "Reports of metrics by what became of them on their way to the collector.",
        ),
    ):
        outcomes = sorted(standing.exported.get(signal, {}).items())
        lines += family(name, "gauge", about, [(labelled(outcome=key), count) for key, count in outcomes])
    lines += targets(standing.targets)
    lines += deployments(standing.deployments)
    lines += family("craton_workers", "gauge", "HTTP workers that serve.", [("", len(standing.workers))])
    for name, about, label, numbered in (
        ("craton_jobs", "Runs of jobs by state.", "state", standing.jobs),
        (
            "craton_log_delivery",
            "Delivery of invocation logs: what waits, was lost, was delivered.",
            "what",
            standing.delivery,
        ),
        ("craton_process_resident_memory_bytes", "Memory of the server's processes.", "process", standing.memory),
    ):
        samples = [(labelled(**{label: key}), value) for key, value in sorted(numbered.items())]
        lines += family(name, "gauge", about, samples)
    lines.append("")
    return b"".join([*standing.models, "\n".join(lines).encode()])


def targets(rows: Iterable[tuple[int, TargetRow]]) -> list[str]:
    """A target is up where no worker has taken it out."""
    up: dict[str, bool] = {}
    counts: dict[str, dict[str, int]] = {}
    for _, row in rows:
        label = labelled(provider=row.provider, target=row.model, models=",".join(row.models[:8]))
        up[label] = up.get(label, True) and row.state != "open"
        found = counts.setdefault(label, {})
        for name in ("answered", "failed", "refused", "left"):
            found[name] = found.get(name, 0) + getattr(row, name)
    asked = ((f'{label},outcome="{name}"', count) for label, one in counts.items() for name, count in one.items())
    return [
        *family("craton_target_up", "gauge", "Whether a target is asked.", ((label, int(up[label])) for label in up)),
        *family("craton_target_asks_total", "counter", "Asks of targets that ended, by how.", asked),
    ]


def deployments(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Models that are served by replicas; those that nobody called and that keep none are left out."""
    known = [(labelled(deployment=row["id"]), row) for row in rows if row["replicas"] or row["wanted"] or row["queue"]]
    lines: list[str] = []
    for name, about, label, members in DEPLOYMENTS:
        samples = [
            (f'{found},{label}="{said}"' if label else found, row[member])
            for found, row in known
            for said, member in members.items()
        ]
        lines += family(name, "gauge", about, samples)
    return lines


def family(name: str, kind: str, about: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    return headed(
        name, kind, about, [f"{name}{{{label}}} {value}" if label else f"{name} {value}" for label, value in samples]
    )


def headed(name: str, kind: str, about: str, lines: list[str]) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *lines] if lines else []


def labelled(**labels: str) -> str:
    return ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())


@lru_cache(maxsize=8192)
def escaped(value: str) -> str:
    return _UNSAFE.sub(lambda found: _ESCAPED[found[0]], value)


def flat(delivery: Mapping[str, object], prefix: str = "") -> dict[str, float]:
    """The numbers of a record, by name."""
    found: dict[str, float] = {}
    for name, value in delivery.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{name}_"))
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = value
    return found


# Name, what it is, the label that tells its members apart, and the members of a row by what that label says.
DEPLOYMENTS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "craton_deployment_replicas", "Replicas of a model: those that are to be, and those that serve.", "state",
        {"wanted": "wanted", "ready": "ready"},
    ),
    (
        "craton_deployment_requests", "Requests at a model's replicas, and in line for one.", "state",
        {"outstanding": "outstanding", "waiting": "queue"},
    ),
    (
        "craton_deployment_oldest_wait_seconds", "How long the first in line has waited.", "",
        {"": "oldest_wait_s"},
    ),
    (
        "craton_deployment_refused_per_second", "Requests that found the line full.", "",
        {"": "refused_per_s"},
    ),
    (
        "craton_deployment_tokens_per_second", "What its replicas write.", "",
        {"": "tokens_per_s"},
    ),
    (
        "craton_deployment_memory_bytes", "Memory of its replicas, shared pages in part.", "",
        {"": "pss_bytes"},
    ),
)  # fmt: skip
