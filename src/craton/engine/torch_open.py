"""A Hugging Face directory opened with transformers: checked first, on the device that there is, or refused in words.

Owns the checks (safetensors only, whole files, nothing missing, shapes as the configuration says, memory), the choice
of device and precision, and what each failure is called. Code that comes with a model is never run, a pickle never
opened, nothing fetched. Knows neither rows nor requests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craton.engine.backend import EngineFault
from craton.engine.memory import free_bytes
from craton.engine.safetensors_check import Tensor, tensors_of

# What transformers and torch raise on a model that they cannot load.
LOAD_FAULTS = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, ImportError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model ready to compute: `model` on `device`, all its floating-point weights of type `dtype`."""

    model: Any
    device: Any
    dtype: Any

    def free_bytes(self) -> int:
        """What the device can still give."""
        if self.device.type != "cuda":
            return free_bytes()
        import torch

        return int(torch.cuda.mem_get_info(self.device)[0])


def open_model(directory: Path, threads: int, device: str = "auto") -> Opened:
    """Load the weights. `device` is `auto` or a name of torch's. Raises EngineFault with the reason."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    # First: files that are damaged need no runtime to be refused.
    found = tensors_of(directory)
    if not found:
        raise EngineFault("no *.safetensors file is there; pickled weights (*.bin, *.pt) are never opened")
    try:
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError as fault:
        raise EngineFault(f"this engine needs torch and transformers: pip install 'craton[local]' ({fault})") from fault
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    where = device_of(device)
    kind = precision_of(where, found)
    _check_memory(found, where, kind)
    try:
        model, notes = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=kind,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (MemoryError, torch.OutOfMemoryError) as fault:
        raise EngineFault("there is not enough memory for this model's weights") from fault
    except LOAD_FAULTS as fault:
        raise EngineFault(_reason(fault, found)) from fault
    _check_loaded(notes, found)
    model.requires_grad_(requires_grad=False)
    return Opened(_moved(model.eval(), where), where, kind)


def device_of(name: str) -> Any:
    """The device to compute on: an accelerator if there is one, unless another is named. Raises EngineFault."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.device(name)
    except RuntimeError as fault:
        raise EngineFault(f"there is no device {name!r}") from fault


def precision_of(device: Any, found: dict[str, Tensor]) -> Any:
    """Half precision where the hardware multiplies it; on other CPUs it is emulated, at a third of the speed."""
    import torch

    halves = {"BF16": torch.bfloat16, "F16": torch.float16}
    stored = {each.kind for each in found.values()} & set(halves)
    if device.type == "cuda":
        return halves[max(stored)] if stored else torch.bfloat16
    return torch.bfloat16 if stored and multiplies_halves() else torch.float32


def multiplies_halves() -> bool:
    """Whether this CPU has instructions for products in bfloat16 (x86: AVX-512 or AMX; ARM: BF16)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, told = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(told.split())
    return False


def _check_memory(found: dict[str, Tensor], device: Any, kind: Any) -> None:
    import math

    import torch

    wanted = sum(math.prod(each.shape) for each in found.values()) * kind.itemsize
    free = free_bytes() if device.type != "cuda" else int(torch.cuda.mem_get_info(device)[0])
    if wanted > free:
        raise EngineFault(f"its weights take {wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free")


def _check_loaded(notes: dict[str, Any], found: dict[str, Tensor]) -> None:
    """Weights that are missing or of another shape would be random numbers: such a model is refused."""
    wrong = sorted(notes.get("mismatched_keys") or ())
    if wrong:
        name, stored, wanted = (*wrong[0], "", "")[:3] if isinstance(wrong[0], tuple) else (wrong[0], "", "")
        where = found[name].file if name in found else "the weights"
        shapes = f" of shape {list(stored)}, and config.json asks for {list(wanted)}" if wanted else ""
        raise EngineFault(f"{where}: {name} is{shapes or ' not of the shape that config.json asks for'}")
    missing = sorted(notes.get("missing_keys") or ())
    if missing:
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise EngineFault(
            f"{missing[0]}{more} are in no *.safetensors file: a shard is missing, or config.json is another's"
        )


def _reason(fault: Exception, found: dict[str, Tensor]) -> str:
    text = " ".join(str(fault).split()) or type(fault).__name__
    if "trust_remote_code" in text:
        return "its config.json asks for code of its own (auto_map), which is never run"
    if "can't allocate memory" in text:
        return "there is not enough memory for this model's weights"
    named = next((each.file for name, each in found.items() if name in text), "")
    return f"the model cannot be opened: {f'{named}: ' if named else ''}{text[:300]}"


def _moved(model: Any, device: Any) -> Any:
    import torch

    try:
        return model.to(device)
    except (torch.OutOfMemoryError, RuntimeError) as fault:
        raise EngineFault(f"the model does not fit on {device}: {' '.join(str(fault).split())[:200]}") from fault
