"""The label by which a function says which AWS operation it is.

The decorator only labels; `craton.services.all.MODULES` lists the modules and `offering` reads their labels, so importing
a module registers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar

import msgspec

from craton.context import Handler

Status = Literal["real", "partial", "refused"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Label:
    """`body` is a Struct of our own to decode the JSON body into; None means the one made from the service model."""

    service: str
    name: str
    status: Status
    body: type[msgspec.Struct] | None


def operation(
    service: str, name: str, *, status: Status = "real", body: type[msgspec.Struct] | None = None
) -> Callable[[F], F]:
    """Label a handler, e.g. `@operation("bedrock", "GetFoundationModel")`."""

    def label(function: F) -> F:
        function.__craton_operation__ = Label(service, name, status, body)  # type: ignore[attr-defined]
        return function

    return label


def labelled(modules: Iterable[ModuleType]) -> dict[tuple[str, str], tuple[Label, Handler]]:
    """The handlers of the modules by (service, operation); two for one operation are a mistake."""
    table: dict[tuple[str, str], tuple[Label, Handler]] = {}
    for module in modules:
        for function in vars(module).values():
            label = getattr(function, "__craton_operation__", None)
            if label is None:
                continue
            if (label.service, label.name) in table:
                raise ValueError(f"{label.service}.{label.name} has two handlers")
            table[label.service, label.name] = (label, function)
    return table
