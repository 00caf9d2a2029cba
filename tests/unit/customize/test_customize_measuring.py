"""The metrics of a training: each step counts once, in its minute, however often it is taken."""

from __future__ import annotations

from craton.features.tuning.plan import Settings
from craton.features.tuning.progress import Began, Event, Stepped, Validated
from craton.workflows.customize.measuring import NAMESPACE, Figures


def began(step: int = 0, tokens: int = 0) -> Began:
    return Began(step=step, steps=9, weights=1, all_weights=2, settings=Settings(), tokens=tokens)


def stepped(step: int, reward: float | None = None) -> Stepped:
    return Stepped(step=step, epoch=0, loss=step + 1.0, tokens=100 * (step + 1), rate=0.1, reward=reward)


def measured(figures: Figures, *events: tuple[Event, float]) -> dict[tuple[str, int], tuple[float, float]]:
    """How many samples of each metric and minute, and their sum."""
    for event, now_s in events:
        figures.told(event, now_s)
    found = figures.take()
    assert all(sample.metric.namespace == NAMESPACE for sample in found)
    assert all(sample.metric.dimensions == (("JobName", "mine"),) for sample in found)
    return {(one.metric.name, one.at_s): (one.summary.samples, one.summary.total) for one in found}


def test_steps_by_minute() -> None:
    """Losses and rewards are samples of their own, tokens those of the step alone."""
    figures = Figures("000000000000", "us-east-1", "mine")
    events: list[tuple[Event, float]] = [(began(), 59.0), (stepped(0), 59.5), (stepped(1, 0.25), 60.5), (Validated(step=2, epoch=0, loss=3.0), 61.0)]  # fmt: skip
    assert measured(figures, *events) == {
        ("TrainingLoss", 0): (1, 1.0),
        ("TrainedTokenCount", 0): (1, 100),
        ("TrainingLoss", 60): (1, 2.0),
        ("TrainedTokenCount", 60): (1, 100),
        ("Reward", 60): (1, 0.25),
        ("ValidationLoss", 60): (1, 3.0),
    }
    assert figures.take() == []


def test_what_is_taken_again_is_not_counted_again() -> None:
    """A run that goes on from a checkpoint tells steps that are known; the tokens before it are not of its steps."""
    figures = Figures("000000000000", "us-east-1", "mine", counted=3)
    events: list[Event] = [began(1, 100), stepped(1), stepped(2), Validated(step=2, epoch=0, loss=1.0), stepped(3)]
    assert measured(figures, *((event, 1.0) for event in events)) == {
        ("TrainingLoss", 0): (1, 4.0),
        ("TrainedTokenCount", 0): (1, 100),
    }
    assert measured(figures, (began(4, 400), 1.0), (stepped(4), 1.0))["TrainedTokenCount", 0] == (1, 100)
