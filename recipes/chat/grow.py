"""Deeper networks from trained ones: new layers that change nothing yet, between the old ones.

This file owns where layers go and what they begin with. It must not know training.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from recipes.chat.model import Shape

WRITERS = ("o", "down")


def deepened(shape: Shape, weights: dict[str, Tensor], layers: int) -> tuple[Shape, dict[str, Tensor]]:
    """The same function with `layers` layers. Each new one is a copy of the layer before it whose writing matrices are zero.

    The copies are spread evenly, the last one behind the last layer but one. Fewer layers than there are changes nothing.
    """
    more = layers - shape.layers
    if more <= 0:
        return shape, dict(weights)
    after = {round((at + 1) * (shape.layers - 1) / (more + 0.5)) for at in range(more)}
    if len(after) < more:
        raise ValueError(f"{more} new layers do not fit between {shape.layers} old ones")
    grown = {name: tensor for name, tensor in weights.items() if not name.startswith("blocks.")}
    place = 0
    for at in range(shape.layers):
        own = {name.split(".", 2)[2]: tensor for name, tensor in weights.items() if name.startswith(f"blocks.{at}.")}
        grown |= {f"blocks.{place}.{name}": tensor for name, tensor in own.items()}
        place += 1
        if at + 1 in after:
            grown |= {
                f"blocks.{place}.{name}": tensor * 0 if name in WRITERS else tensor.clone()
                for name, tensor in own.items()
            }
            place += 1
    return replace(shape, layers=place), grown
