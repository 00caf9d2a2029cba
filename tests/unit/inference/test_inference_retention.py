"""Which targets a data retention mode leaves."""

from __future__ import annotations

from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.routing.retention import Modes, StoredMode
from craton.features.inference.routing.routes import UNLIMITED, Route, Target

ACCOUNT, REGION = "111122223333", "eu-west-1"


def target(*, keeps: bool, **more: Any) -> Target:
    return Target(None, "m", retains_data=keeps, **more)  # type: ignore[arg-type]


def route(*targets: Target) -> Route:
    return Route("model", targets, UNLIMITED)


def modes(mode: Any, broadest: Any = "default") -> Modes:
    return Modes(broadest).narrowed([StoredMode(ACCOUNT, REGION, mode)])


@pytest.mark.parametrize("mode", ["default", "provider_data_share", "inherit"])
def test_open_modes_leave_a_route_as_it_is(mode: str) -> None:
    """Not even a copy is made."""
    given = route(target(keeps=True), target(keeps=False))
    assert modes(mode).allowed(given, ACCOUNT, REGION) is given


@pytest.mark.parametrize("mode", ["none", "aws_review"])
def test_strict_modes_leave_what_keeps_nothing(mode: str) -> None:
    """The others go, and a sole target that is left is asked without a choice."""
    stays = target(keeps=False, fallback=True)
    left = modes(mode).allowed(route(target(keeps=True), stays), ACCOUNT, REGION)
    assert left.targets == (stays,)
    assert left.sole is stays


@pytest.mark.parametrize("left", [(), ({"keeps": False, "weight": 0},)], ids=["none", "weightless"])
def test_nothing_left_to_ask_is_a_refusal(left: tuple[dict[str, Any], ...]) -> None:
    """The text names the mode and the model."""
    given = route(target(keeps=True), *(target(**one) for one in left))
    with pytest.raises(Fault, match="data retention mode 'none' is not available for this model.*model") as refused:
        modes("none").allowed(given, ACCOUNT, REGION)
    assert refused.value.name == "ValidationException"


def test_a_mode_holds_in_its_place_alone() -> None:
    """Other accounts and regions, and accounts that inherit, live by the configuration."""
    strict = modes("none", broadest="provider_data_share")
    assert strict.of(ACCOUNT, REGION) == "none"
    assert strict.of(ACCOUNT, "us-east-1") == strict.of("999999999999", REGION) == "provider_data_share"
    assert modes("inherit", broadest="none").of(ACCOUNT, REGION) == "none"
    assert modes("default", broadest="none").of(ACCOUNT, REGION) == "default"
