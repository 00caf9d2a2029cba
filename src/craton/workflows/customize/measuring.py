"""A training's metrics for CloudWatch: the losses, rewards and tokens of its steps, as samples for the store.

Owns names and units, and that a step counts once however often it is taken: those that the job's row knows already are
told again by a process that goes on from a checkpoint. Bedrock publishes no metrics of customization jobs, so these are
in a namespace of Craton's. It must not know where events come from, nor how samples are kept.
"""

from __future__ import annotations

from craton.features.tuning.progress import Began, Event, Stepped, Validated
from craton.infra.series.metrics_index import MINUTE_S, Metric, Sample
from craton.infra.series.metrics_summary import of_values

NAMESPACE = "Craton/Customization"
JOB = "JobName"
UNITS: dict[str, str] = {
    "TrainingLoss": "None", "ValidationLoss": "None", "Reward": "None", "TrainedTokenCount": "Count",
}  # fmt: skip
"""Each step is a sample of the loss, of its tokens, and of its mean reward where answers are scored."""


class Figures:
    """What was measured since it was last taken. `counted` steps are known already."""

    def __init__(self, account: str, region: str, job: str, counted: int = 0) -> None:
        self._metrics = {
            name: Metric(account, region, NAMESPACE, name, ((JOB, job),), unit) for name, unit in UNITS.items()
        }
        self._counted = counted
        self._tokens = 0
        self._found: dict[tuple[str, int], list[tuple[float, float]]] = {}

    def told(self, event: Event, now_s: float) -> None:
        """Hear an event; cheap."""
        if isinstance(event, Began):
            self._tokens = event.tokens
        elif isinstance(event, Validated) and event.step >= self._counted:
            self._note("ValidationLoss", event.loss, now_s)
        elif isinstance(event, Stepped):
            before, self._tokens = self._tokens, event.tokens
            if event.step < self._counted:
                return
            self._counted = event.step + 1
            self._note("TrainingLoss", event.loss, now_s)
            self._note("TrainedTokenCount", event.tokens - before, now_s)
            if event.reward is not None:
                self._note("Reward", event.reward, now_s)

    def take(self) -> list[Sample]:
        """The samples since the last time, one of each metric and minute."""
        found, self._found = self._found, {}
        return [Sample(self._metrics[name], at_s, of_values(values)) for (name, at_s), values in found.items()]

    def _note(self, name: str, value: float, now_s: float) -> None:
        self._found.setdefault((name, int(now_s) // MINUTE_S * MINUTE_S), []).append((value, 1.0))
