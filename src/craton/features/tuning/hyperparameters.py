"""Hyperparameters by Bedrock's names: which a base model knows, within which range, and what a run makes of them.

Owns the table of families (source: the Bedrock user guide, "Custom model hyperparameters") and our own names for what
Bedrock does not let one choose. They travel as texts. A base that stands in for another family's model keeps that
family's names and ranges, and its learning rate as a multiple of that family's default: a rate that suits billions of
weights teaches a small model nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from craton.features.tuning.plan import Settings


class BadHyperParameter(Exception):
    """A hyperparameter that this base does not know, or a value out of its range."""


class Known(msgspec.Struct, frozen=True):
    """One name: its range with both ends, its default (None: as the run decides), and whether it counts things."""

    name: str
    low: float
    high: float
    default: float | None
    whole: bool = False


def _epochs(high: int, default: int) -> Known:
    return Known("epochCount", 1, high, default, whole=True)


def _batch(low: int, high: int, default: int) -> Known:
    return Known("batchSize", low, high, default, whole=True)


def _warmup(high: int, default: int) -> Known:
    return Known("learningRateWarmupSteps", 0, high, default, whole=True)


def _rate(low: float, high: float, default: float) -> Known:
    return Known("learningRate", low, high, default)


def _patience(default: int) -> Known:
    return Known("earlyStoppingPatience", 1, 10, default, whole=True)


FAMILIES: dict[str, tuple[Known, ...]] = {
    "amazon.nova": (_epochs(5, 2), _rate(1e-6, 1e-4, 1e-5), _warmup(100, 10)),
    "amazon.titan-text-premier": (_epochs(5, 2), _batch(1, 1, 1), _rate(1e-7, 1e-5, 1e-6), _warmup(20, 5)),
    "amazon.titan-text": (_epochs(10, 5), _batch(1, 64, 1), _rate(0, 1, 1e-5), _warmup(250, 5)),
    "anthropic.claude": (
        _epochs(10, 2), _batch(4, 256, 32), Known("learningRateMultiplier", 0.1, 2, 1),
        Known("earlyStoppingThreshold", 0, 0.1, 0.001), _patience(2),
    ),
    "cohere.command": (
        _epochs(100, 1), _batch(8, 32, 8), _rate(5e-6, 0.1, 1e-5), Known("earlyStoppingThreshold", 0, 0.1, 0.01), _patience(6),
        Known("evalPercentage", 5, 50, 20, whole=True),
    ),
    "meta.llama": (_epochs(10, 5), _batch(1, 1, 1), _rate(5e-6, 0.1, 1e-4)),
}  # fmt: skip
"""By the beginning of the base's id; the longest that fits holds."""

OWN: tuple[Known, ...] = (
    _epochs(1000, 5),
    _batch(1, 1024, 8),
    _rate(1e-7, 1, 2e-3),
    _warmup(10_000, 5),
    Known("earlyStoppingThreshold", 0, 1, 0.0),
    Known("earlyStoppingPatience", 0, 100, 0, whole=True),
)
"""Of models that Craton trains under their own ids, and of imported ones."""

EXTRA: tuple[Known, ...] = (
    Known("loraRank", 0, 512, 16, whole=True),
    Known("loraAlpha", 1, 4096, None, whole=True),
    Known("loraDropout", 0, 0.9, 0.0),
    Known("maxSequenceLength", 8, 131_072, None, whole=True),
    Known("seed", 0, 2**31 - 1, 0, whole=True),
    Known("beta", 0, 10, 0.1),
    Known("mergedBits", 0, 32, 0, whole=True),
)
"""Ours, for every base: rank 0 trains all weights; `beta` is of preferences and reinforcement; `mergedBits` of what the
adapter, merged into the weights, is served as.
"""
MERGED_BITS = (0, 4, 8, 32)


def known(base_id: str) -> tuple[Known, ...]:
    """What a base model lets one choose."""
    fitting = [family for family in FAMILIES if base_id.startswith(family)]
    return (*(FAMILIES[max(fitting, key=len)] if fitting else OWN), *EXTRA)


def chosen(base_id: str, given: Mapping[str, str]) -> dict[str, float]:
    """The values of a job, with the defaults of what it does not name. Raises BadHyperParameter."""
    names = {each.name: each for each in known(base_id)}
    for name in given:
        if name not in names:
            raise BadHyperParameter(f"{base_id} has no hyperparameter {name}; it has {', '.join(names)}")
    found = {name: _value(each, given[name]) for name, each in names.items() if name in given}
    return {name: each.default for name, each in names.items() if each.default is not None} | found


def _value(one: Known, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadHyperParameter(f"{one.name} must be a number, not {text[:40]!r}") from None
    if not one.low <= value <= one.high or (one.whole and value != int(value)):
        kind = "a whole number" if one.whole else "a number"
        raise BadHyperParameter(f"{one.name} must be {kind} from {one.low:g} to {one.high:g}, not {text[:40]}")
    return value


def settings_of(base_id: str, given: Mapping[str, str], context_tokens: int) -> Settings:
    """What a run is told. Raises BadHyperParameter."""
    values = chosen(base_id, given)
    rank = int(values["loraRank"])
    if values["mergedBits"] not in MERGED_BITS:
        raise BadHyperParameter(f"mergedBits must be one of {', '.join(map(str, MERGED_BITS))}")
    most = int(values.get("maxSequenceLength", min(context_tokens, 1024)))
    if most > context_tokens:
        raise BadHyperParameter(f"maxSequenceLength must not be above the base's context of {context_tokens} tokens")
    return Settings(
        epochs=int(values["epochCount"]),
        batch=int(values.get("batchSize", 8)),
        rate=_rate_of(base_id, values, rank),
        warmup=int(values.get("learningRateWarmupSteps", 5)),
        rank=rank,
        alpha=int(values.get("loraAlpha", 2 * max(1, rank))),
        dropout=values["loraDropout"],
        max_tokens=most,
        seed=int(values["seed"]),
        patience=int(values.get("earlyStoppingPatience", 0)),
        threshold=values.get("earlyStoppingThreshold", 0.0),
        beta=values["beta"],
        merged_bits=int(values["mergedBits"]),
    )


def _rate_of(base_id: str, values: Mapping[str, float], rank: int) -> float:
    """The learning rate here; all weights bear a tenth of what an adapter does."""
    ours = next(each.default for each in OWN if each.name == "learningRate") or 0.0
    theirs = next((each.default for each in known(base_id) if each.name == "learningRate"), None)
    multiple = values["learningRate"] / theirs if theirs else values.get("learningRateMultiplier", 1.0)
    return ours * multiple * (1.0 if rank else 0.1)


def shown(base_id: str, given: Mapping[str, str], method_names: tuple[str, ...] = ()) -> dict[str, str]:
    """All that holds for a job, as texts: what GetModelCustomizationJob answers."""
    ours = {each.name for each in EXTRA} - set(given) - set(method_names)
    return {name: _text(value) for name, value in chosen(base_id, given).items() if name not in ours}


def _text(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.10g}"
