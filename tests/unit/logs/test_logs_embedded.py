"""The embedded metric format: which events hold metrics, and what is refused of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.features.logs.embedded import Embedded
from craton.infra.series.port import DAY_MS, Entry

NOW_MS = 1_800_000_000_000


def event(directive: dict[str, Any] | None = None, about: dict[str, Any] | None = None, **members: Any) -> Any:
    given = {"Namespace": "N", "Dimensions": [["d"]], "Metrics": [{"Name": "m"}], **(directive or {})}
    meta = {"Timestamp": NOW_MS, "CloudWatchMetrics": [given], **(about or {})}
    return {"_aws": meta, "d": "v", "m": 1, **members}


def found(*events: Any) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Number and sum of samples by namespace, name, dimensions and unit."""
    counts = Embedded("1", "r", "g", NOW_MS)
    data = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in events]
    counts.add(Entry(number, NOW_MS, NOW_MS, "s", one) for number, one in enumerate(data))
    return {
        (one.metric.namespace, one.metric.name, one.metric.dimensions, one.metric.unit): (
            one.summary.samples, one.summary.total
        )
        for one in counts.samples()
    }  # fmt: skip


def test_a_metric_under_each_set_of_dimensions() -> None:
    """One number or several; the same metric of several events is one sample set."""
    more = {"Dimensions": [["d"], ["d", "e"], []], "Metrics": [{"Name": "m", "Unit": "Count", "StorageResolution": 1}]}
    assert found(event(more, e="w"), event(more, e="w", m=[2, 3.5])) == {
        ("N", "m", (("d", "v"),), "Count"): (3.0, 6.5),
        ("N", "m", (("d", "v"), ("e", "w")), "Count"): (3.0, 6.5),
        ("N", "m", (), "Count"): (3.0, 6.5),
    }


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (event({"Namespace": " "}), "EMFValidationErrors"),
        (event({"Namespace": "AWS/Bedrock"}), "EMFValidationErrors"),
        (event({"Metrics": [{"Name": "m", "Unit": "Potatoes"}]}), "EMFValidationErrors"),
        (event({"Metrics": [{"Name": ""}]}), "EMFValidationErrors"),
        (event({"Metrics": [{"Name": "m"}] * 101}), "EMFValidationErrors"),
        (event({"Dimensions": [[f"d{number}" for number in range(100)]]}), "EMFValidationErrors"),
        (event({"Dimensions": [["nowhere"]]}), "EMFValidationErrors"),
        (event({"Dimensions": [["m"]]}), "EMFValidationErrors"),
        (event(about={"Timestamp": NOW_MS - 15 * DAY_MS}), "EMFValidationErrors"),
        (event(about={"Timestamp": NOW_MS + 3 * 3_600_000}), "EMFValidationErrors"),
        (event(m="1"), "EMFValidationErrors"),
        (event(m=True), "EMFValidationErrors"),
        (event(m=None), "EMFValidationErrors"),
        (event(m=[]), "EMFValidationErrors"),
        (event(m=[1] * 101), "EMFValidationErrors"),
        (event(m=1e300), "EMFValidationErrors"),
        (event(about={"CloudWatchMetrics": "none"}), "EMFParsingErrors"),
        (event(about={"Timestamp": "today"}), "EMFParsingErrors"),
        (event({"Dimensions": "d"}), "EMFParsingErrors"),
    ],
)
def test_an_event_that_breaks_the_format_gives_no_sample(broken: Any, error: str) -> None:
    """Not even its good half; the error is counted under the group, and the next event is read."""
    good = event()
    assert found(broken, good) == {
        ("AWS/Logs", error, (("LogGroupName", "g"),), "Count"): (1.0, 1.0),
        ("N", "m", (("d", "v"),), "None"): (1.0, 1.0),
    }


@pytest.mark.parametrize(
    "text",
    [b'see "CloudWatchMetrics"', b'["CloudWatchMetrics"]', b'{"CloudWatchMetrics": []}', b'{"_aws": 1, "m": 1}', b""],
)
def test_what_only_speaks_of_metrics(text: bytes) -> None:
    """Counts for nothing, and is no error."""
    assert found(text) == {}
