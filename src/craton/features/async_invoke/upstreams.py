"""Who answers an asynchronous invocation: another Bedrock, a vendor of videos, or this server's own models.

Owns the choice among the targets that the configuration gives a model. Both the operation and the workflow make it, so
a target that was changed meanwhile is the one that is used. It must not know how anybody is asked.
"""

from __future__ import annotations

from craton.aws.wire.faults import Fault, validation
from craton.config_tables import ConfigFile, TargetTable

NO_PLACE = (
    'The target of {id} is another Bedrock, and has no place for its results: set output_s3 = "s3://…" on its '
    "[[model.target]]."
)
NO_VIDEOS = (
    "The target of {id}, the provider {provider}, makes no videos. Use the provider bedrock or openai, or take the target "
    "away, and the stand-in makes them."
)


def target_of(file: ConfigFile, model_id: str) -> TargetTable | None:
    """The target that a model has by configuration: the first that is no fallback. None: its own or the stand-in."""
    targets: list[TargetTable] = next((table.target for table in file.model if table.id == model_id), [])
    ordered = sorted(targets, key=lambda target: target.fallback)
    return ordered[0] if ordered else None


def relays(target: TargetTable | None) -> bool:
    """Whether an invocation is left to another Bedrock as a whole."""
    return target is not None and target.provider == "bedrock" and bool(target.output_s3)


def check_video_target(target: TargetTable | None, model_id: str) -> None:
    """Raise ValidationException for a target that cannot make videos."""
    if target is None or relays(target) or target.provider == "openai":
        return
    raise cannot(target, model_id)


def cannot(target: TargetTable, model_id: str) -> Fault:
    if target.provider == "bedrock":
        return validation(NO_PLACE.format(id=model_id))
    return validation(NO_VIDEOS.format(id=model_id, provider=target.provider))
