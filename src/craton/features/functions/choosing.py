"""Which version an invocation takes, and the plan by which the host runs it.

Owns the dice of an alias that leads to two versions. It must not know who invokes.
"""

from __future__ import annotations

from collections.abc import Callable

from craton.features.functions.function import LATEST, Alias, Configuration, Function, Plan


def version_of(alias: Alias, dice: Callable[[], float]) -> str:
    """The version that an alias leads to this time; `dice` gives a number from 0 to below 1."""
    thrown = dice()
    for number, weight in alias.weights.items():
        if thrown < weight:
            return number
        thrown -= weight
    return alias.version


def plan_of(function: Function, arn: str, invoked: str, qualifier: str | None, configuration: Configuration) -> Plan:
    """What the host needs to run a version; `qualifier` is what was asked for, under which concurrency is provisioned."""
    held = function.provisioned.get(qualifier or LATEST) or function.provisioned.get(configuration.version)
    return Plan(
        arn=arn,
        invoked=invoked,
        configuration=configuration,
        reserved=function.reserved,
        provisioned=held.count if held is not None else 0,
    )
