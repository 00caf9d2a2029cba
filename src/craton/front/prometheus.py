"""The text that Prometheus reads: what a server did since it began and how it stands.

Owns names, labels and the text's form (version 0.0.4). Counters start at 0 with the server, as Prometheus expects. Pure:
everything is given. Source: Prometheus, "Exposition formats"; its own client's parser reads the text in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any

import msgspec

from craton.features.inference.targets.report import TargetRow
from craton.features.metering.totals import BOUNDS_MS, Histogram, Total

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_UNSAFE = re.compile(r'[\\"\n]')
_ESCAPED = {"\\": r"\\", '"': r"\"", "\n": r"\n"}
_BOUNDS = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]


class Standing(msgspec.Struct, kw_only=True):
    """How a server stands. `spans`: of traces, by what became of them; `budgets`: spent of
    how much; `memory`: bytes by process; `delivery`: counts of log delivery by name; `deployments`: what
    is served by replicas, as `models.status` has it.
    """

    totals: list[Total]
    lost: int = 0
    spans: dict[str, int] = {}
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
    totals = standing.totals
    labels = [labelled(account=one.account, region=one.region, model=one.model).replace("%", "%%") for one in totals]
    lines = family("craton_info", "gauge", "The version of the server.", [(labelled(version=standing.version), 1)])
    for name, kind, about, template, numbers in MODELS:
        found = [
            template.replace(_LABELS, label) % given
            for one, label in zip(totals, labels, strict=True)
            if (given := numbers(one))
        ]
        lines += headed(name, kind, about, found)
    lines += family("craton_uncounted_total", "counter", "Invocations no metric holds.", [("", standing.lost)])
    for place, name, about in (
        (0, "craton_budget_spent", "What was spent of a budget in its period."),
        (1, "craton_budget_amount", "What may be spent of it."),
    ):
        budgets = [(labelled(budget=key), both[place]) for key, both in sorted(standing.budgets.items())]
        lines += family(name, "gauge", about, budgets)
    lines += targets(standing.targets)
    lines += deployments(standing.deployments)
    lines += family("craton_workers", "gauge", "HTTP workers that serve.", [("", len(standing.workers))])
    for name, about, label, numbered in (
        ("craton_jobs", "Runs of jobs by state.", "state", standing.jobs),
        ("craton_spans", "Traced invocations by what became of their spans.", "outcome", standing.spans),
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
    return "\n".join(lines).encode()


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


# --- what there is of each model: a template of lines, and the numbers that come into it ---

# Where a model's labels come in a template: its lines are made by one replacement and one formatting, since a page with a
# thousand models must not hold up a worker.
_LABELS = "\0"
Numbers = Callable[[Total], tuple[float, ...]]
"""None at all: the model has no such lines."""


def kinds(name: str, *names: str) -> str:
    return "\n".join(f'{name}{{{_LABELS},kind="{kind}"}} %d' for kind in names)


def spans(name: str) -> str:
    buckets = (f'{name}_bucket{{{_LABELS},le="{bound}"}} %d' for bound in _BOUNDS)
    return "\n".join([*buckets, f"{name}_sum{{{_LABELS}}} %.3f", f"{name}_count{{{_LABELS}}} %d"])


def spanned(of: Callable[[Total], Histogram]) -> Numbers:
    def numbers(one: Total) -> tuple[float, ...]:
        histogram = of(one)
        summed = tuple(accumulate(histogram.found))
        return (*summed, histogram.total_ms / 1000, summed[-1]) if summed[-1] else ()

    return numbers


MODELS: tuple[tuple[str, str, str, str, Numbers], ...] = (
    (
        "craton_invocations_total", "counter", "Invocations that were answered.",
        f"craton_invocations_total{{{_LABELS}}} %d", lambda one: (one.counts[0],),
    ),
    (
        "craton_invocation_errors_total", "counter", "Invocations that were refused or failed, by whose fault.",
        kinds("craton_invocation_errors_total", "client", "server", "throttle"), lambda one: tuple(one.counts[1:4]),
    ),
    (
        "craton_tokens_total", "counter", "Tokens of answered invocations.",
        kinds("craton_tokens_total", "input", "output", "cache_read", "cache_write"), lambda one: tuple(one.tokens),
    ),
    (
        "craton_images_total", "counter", "Pictures that were made.",
        f"craton_images_total{{{_LABELS}}} %d", lambda one: (one.counts[4],) if one.counts[4] else (),
    ),
    (
        "craton_invocation_latency_seconds", "histogram", "From a request's head to its whole answer.",
        spans("craton_invocation_latency_seconds"), spanned(lambda one: one.latency),
    ),
    (
        "craton_time_to_first_token_seconds", "histogram", "From a request's head to the first piece of a stream.",
        spans("craton_time_to_first_token_seconds"), spanned(lambda one: one.first),
    ),
)  # fmt: skip
