"""A linear layer with its adapter as one step of the way forth and one of the way back.

peft computes the same in nine operations, each with its own node for the way back; where a model is small, or the records
few, those cost more than the products. What is trained and saved stays peft's. Layers that drop inputs out are left alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ADAPTER = "default"


class _Adapted(torch.autograd.Function):  # type: ignore[misc]  # torch does not say what it is
    """x·W' + b + scale·(x·A')·B' for a frozen W: rows × in, out × in, rank × in, out × rank."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        low = rows @ a.T
        out = rows @ weight.T if bias is None else torch.addmm(bias, rows, weight.T)
        out.addmm_(low, b.T, alpha=scale)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, weight, a, b = ctx.saved_tensors
        grad = grad.reshape(-1, weight.shape[0])
        into_low = (grad @ b).mul_(ctx.scale)
        back = torch.addmm(grad @ weight, into_low, a).view(ctx.shape) if ctx.needs_input_grad[0] else None
        return back, None, None, into_low.T @ rows, (grad.T @ low).mul_(ctx.scale), None


def quicken(model: Any) -> None:
    """Replace the way forth of every adapted linear layer of a peft model."""
    from peft.tuners.lora.layer import Linear

    for layer in model.modules():
        if isinstance(layer, Linear) and isinstance(layer.lora_dropout[ADAPTER], torch.nn.Identity):
            layer.forward = _forward(layer)  # type: ignore[method-assign]


def _forward(layer: Any) -> Any:
    base, a, b = layer.base_layer, layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
    scale = float(layer.scaling[ADAPTER])

    def forward(x: Tensor, *_args: Any, **_more: Any) -> Tensor:
        if layer.disable_adapters:
            plain: Tensor = base(x)
            return plain
        out: Tensor = _Adapted.apply(x, base.weight, base.bias, a.weight, b.weight, scale)
        return out

    return forward
