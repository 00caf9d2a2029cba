"""LoRA adapters on a transformers model, each row of a batch with its own.

Owns the reading of an adapter's directory (peft's files, safetensors only), and its place: the two small matrices of
every adapted layer lie in tables by row, so that a step of rows with as many adapters costs two batched products per
layer, whoever joins or leaves, and an adapter that is unloaded goes on for the rows that wear it. Chosen by measurement
over peft's own `adapter_names`: 32 rows with as many adapters decode at 85 % of the bare model's speed, there at 28 %;
bench/engine.py measures this again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from craton.engine.backend import AdapterRefused, EngineFault
from craton.engine.safetensors_check import header_of

CONFIG, WEIGHTS, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."
PLAIN_NAME = re.compile(r"[\w.]+")
# What of peft's configuration would change the arithmetic in ways that are not computed here → the value that is.
PLAIN: dict[str, tuple[Any, ...]] = {
    "bias": ("none", None),
    "use_dora": (False, None),
    "modules_to_save": (None, []),
    "fan_in_fan_out": (False, None),
    "lora_bias": (False, None),
    "alora_invocation_tokens": (None, []),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
}


@dataclass(frozen=True, slots=True)
class Adapter:
    """`pairs`: layer's name → A (in, rank) and B (rank, out), B scaled already."""

    name: str
    pairs: dict[str, tuple[Any, Any]]
    rank: int
    size_bytes: int


class AdapterReader:
    """Reads adapters for one model. Safe to use from any thread: it only looks at the model."""

    def __init__(self, model: Any, most_rank: int = 512) -> None:
        self._shapes = {
            name: (module.in_features, module.out_features)
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
        first = next(model.parameters())
        self._dtype, self._device = first.dtype, first.device
        self._most_rank = most_rank

    def read(self, name: str, path: Path) -> Adapter:
        """Load an adapter's files. Raises AdapterRefused with the file and the reason, FileNotFoundError for no files."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        config = self._config(path)
        weights = path / WEIGHTS
        if not weights.is_file():
            if (path / PICKLED).is_file():
                raise AdapterRefused(f"{PICKLED} is a pickle, which is never opened: save the adapter as safetensors")
            raise FileNotFoundError(weights)
        try:
            header_of(weights)
            tensors = load_file(weights)
        except EngineFault as fault:
            raise AdapterRefused(str(fault)) from None
        except (SafetensorError, OSError) as fault:
            raise AdapterRefused(f"{WEIGHTS} cannot be read: {' '.join(str(fault).split())[:200]}") from None
        return self._adapter(name, config, tensors)

    def _config(self, path: Path) -> dict[str, Any]:
        try:
            config = json.loads((path / CONFIG).read_bytes())
        except ValueError:
            raise AdapterRefused(f"{CONFIG} is not valid JSON") from None
        if not isinstance(config, dict) or config.get("peft_type") != "LORA":
            raise AdapterRefused(f"{CONFIG} describes no LoRA adapter")
        for key, plain in PLAIN.items():
            if config.get(key) not in plain:
                raise AdapterRefused(f"{CONFIG}: {key} = {json.dumps(config[key])} is not supported")
        return config

    def _adapter(self, name: str, config: dict[str, Any], tensors: dict[str, Any]) -> Adapter:
        found: dict[str, dict[str, Any]] = {}
        for key, tensor in tensors.items():
            layer, _, part = key.removeprefix(PREFIX).rpartition(".lora_")
            if part not in ("A.weight", "B.weight"):
                raise AdapterRefused(f"{WEIGHTS}: {key} is not a tensor of a LoRA adapter on linear layers")
            found.setdefault(layer, {})[part[0]] = tensor
        if not found:
            raise AdapterRefused(f"{WEIGHTS} holds no tensors")
        pairs = {layer: self._pair(layer, parts, config) for layer, parts in found.items()}
        rank = max(a.shape[1] for a, _ in pairs.values())
        size = sum(each.numel() * each.element_size() for pair in pairs.values() for each in pair)
        return Adapter(name, pairs, rank, size)

    def _pair(self, layer: str, parts: dict[str, Any], config: dict[str, Any]) -> tuple[Any, Any]:
        shape = self._shapes.get(layer)
        if shape is None or ".experts." in layer:
            raise AdapterRefused(f"{WEIGHTS}: the model has no linear layer {layer} that an adapter can change")
        a, b = parts.get("A"), parts.get("B")
        if a is None or b is None or a.dim() != 2 or b.dim() != 2 or (a.shape[1], b.shape[0]) != shape:
            sizes = " and ".join(str(list(each.shape)) for each in (a, b) if each is not None)
            raise AdapterRefused(
                f"{WEIGHTS}: {layer} has {sizes}, and the model's layer takes {shape[0]} and gives {shape[1]}: "
                "the adapter was made for another model"
            )
        if a.shape[0] != b.shape[1] or a.shape[0] > self._most_rank:
            raise AdapterRefused(
                f"{WEIGHTS}: {layer} has the rank {a.shape[0]}, beyond {self._most_rank} or not its own"
            )
        scale = _scaling(layer, a.shape[0], config)
        place = {"device": self._device, "dtype": self._dtype}
        return a.to(**place).t().contiguous(), (b.to(**place) * scale).t().contiguous()


def _scaling(layer: str, rank: int, config: dict[str, Any]) -> float:
    """Alpha over rank, or over its root (rsLoRA); a pattern names layers by the end of their names."""
    patterns = config.get("alpha_pattern") or {}
    if any(not PLAIN_NAME.fullmatch(key) for key in patterns):
        raise AdapterRefused(f"{CONFIG}: alpha_pattern holds an expression; names of layers are read")
    alpha = next(
        (value for key, value in patterns.items() if layer == key or layer.endswith(f".{key}")),
        config.get("lora_alpha", 8),
    )
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


class Tables:
    """One adapted layer: A (rows, in, rank) and B (rows, rank, out) of the adapter that each row wears, else zeros."""

    __slots__ = ("a", "b")

    def __init__(self, module: Any, rows: int, rank: int) -> None:
        weight = module.weight
        self.a = torch.zeros((rows, module.in_features, rank), dtype=weight.dtype, device=weight.device)
        self.b = torch.zeros((rows, rank, module.out_features), dtype=weight.dtype, device=weight.device)

    def put(self, row: int, pair: tuple[Any, Any] | None) -> None:
        """Give a row the layer's matrices, or none."""
        self.b[row] = 0
        if pair is not None:
            a, b = pair
            rank = a.shape[1]
            self.a[row, :, :rank] = a
            # What is left of a larger one in A meets zeros in B.
            self.b[row, :rank] = b

    def swap(self, one: int, other: int) -> None:
        """Exchange two rows."""
        for table in (self.a, self.b):
            held = table[one].clone()
            table[one] = table[other]
            table[other] = held


class Wardrobe:
    """Which adapter each row wears. `show` says which rows the next call of the model computes."""

    def __init__(self, model: Any, rows: int) -> None:
        self._model = model
        self._rows = rows
        self._worn: list[Adapter | None] = [None] * rows
        self._rank = 0
        self._tables: dict[str, Tables] = {}
        # The rows that are computed; None where none of them wears anything.
        self._shown: slice | None = None

    def show(self, first: int, end: int) -> None:
        """The next call computes rows first..end-1."""
        self._shown = slice(first, end) if any(self._worn[first:end]) else None

    def wear(self, row: int, adapter: object) -> None:
        """Dress a row in an adapter, or in none."""
        if adapter is not None and not isinstance(adapter, Adapter):
            raise TypeError("not an adapter of this runtime")
        before, self._worn[row] = self._worn[row], adapter
        if adapter is not None:
            self._make_room(adapter)
        for layer in set(before.pairs if before else ()) | set(adapter.pairs if adapter else ()):
            self._tables[layer].put(row, adapter.pairs.get(layer) if adapter else None)

    def swap(self, one: int, other: int) -> None:
        """Exchange what two rows wear."""
        worn = self._worn
        if worn[one] is worn[other]:
            return
        for layer in {layer for row in (one, other) if (each := worn[row]) is not None for layer in each.pairs}:
            self._tables[layer].swap(one, other)
        worn[one], worn[other] = worn[other], worn[one]

    def _make_room(self, adapter: Adapter) -> None:
        """Tables for layers that no adapter changed before, and wider ones for a larger rank."""
        if adapter.rank > self._rank:
            self._rank = adapter.rank
            for layer in self._tables:
                self._make(layer)
        for layer in adapter.pairs:
            if layer not in self._tables:
                self._make(layer)

    def _make(self, layer: str) -> None:
        module = self._model.get_submodule(layer)
        made = Tables(module, self._rows, self._rank)
        for row, worn in enumerate(self._worn):
            if worn is not None and layer in worn.pairs:
                made.put(row, worn.pairs[layer])
        if layer not in self._tables:
            # An attribute of the instance goes before the class's method, and costs nothing where no row wears anything.
            module.forward = self._adapted(layer, module.forward)
        self._tables[layer] = made

    def _adapted(self, layer: str, plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def forward(given: Any) -> Any:
            """Input (rows, new, in) → output (rows, new, out)."""
            answer = plain(given)
            shown = self._shown
            if shown is None:
                return answer
            tables = self._tables[layer]
            return torch.baddbmm(answer, torch.bmm(given, tables.a[shown]), tables.b[shown])

        return forward
