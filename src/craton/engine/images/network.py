"""The trained painter in the box: a prompt about shapes to 64 x 64 pixels, anew, from a picture, or within a mask.

Owns the sampler (DDIM over velocities, with guidance) and the three graphs of a directory that `diffusers` opens as well:
ONNX Runtime reads the weights from the pipeline's own files, so both give the same picture from the same noise. Knows no
task, no upscaling and no file format.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craton.engine.images.edits import Floats
from craton.engine.images.files import scaled
from craton.engine.images.painter import Field

SIDE, LATENT_SIDE = 64, 16
STEPS = 10
GUIDANCE = 3.0
_MOST_STEPS, _MOST_GUIDANCE = 50, 8.0
_TIMES = 1000
_CONTRAST = 4.0
_MASKED_SHARE = 0.25  # a latent is painted anew where the mask covers more of it
_WORD = re.compile(r"[a-z]+")

Latents = NDArray[np.floating[Any]]
"""4 x 16 x 16: the mean colours of 4 x 4 pixels, and a channel of zeros."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is painted. `start` (any size) is what is painted over: wholly at `strength` 1, and where `mask` is, if given.

    Steps and guidance beyond what the network was made for are the most that it can do.
    """

    prompt: str
    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    start: Floats | None = None
    strength: float = 1.0
    mask: Field | None = None


class ShapeNetwork:
    """One directory: `text_encoder/`, `unet/` and `vae/`, each with `model.onnx`, and `tokenizer/`. Any thread, one call
    at a time. Raises OSError, KeyError or ValueError for a directory that lacks them.
    """

    def __init__(self, directory: Path, threads: int) -> None:
        self._text = _session(directory / "text_encoder" / "model.onnx", threads)
        self._unet = _session(directory / "unet" / "model.onnx", threads)
        self._decoder = _session(directory / "vae" / "model.onnx", threads)
        self._words: dict[str, int] = json.loads((directory / "tokenizer" / "tokenizer.json").read_bytes())["model"][
            "vocab"
        ]
        self._length = int(
            json.loads((directory / "tokenizer" / "tokenizer_config.json").read_bytes())["model_max_length"]
        )
        self._subjects = frozenset(json.loads((directory / "craton.json").read_bytes())["subjects"])

    def draws(self, prompt: str) -> bool:
        """Whether the prompt names a shape that was learned."""
        return any(word in self._subjects or word.removesuffix("s") in self._subjects for word in _found(prompt))

    def paint(self, asked: Asked, seed: int) -> Floats:
        """64 x 64 x 3; the same for the same seed."""
        noise = np.random.default_rng(seed).standard_normal((4, LATENT_SIDE, LATENT_SIDE), np.float32)
        return self.paint_from(noise, asked)

    def paint_from(self, noise: Latents, asked: Asked) -> Floats:
        """See `paint`; from the noise given, 4 x 16 x 16."""
        count = min(max(1, asked.steps or STEPS), _MOST_STEPS)
        scale = GUIDANCE if asked.guidance is None else min(max(0.0, asked.guidance), _MOST_GUIDANCE)
        states = self._states([asked.negative, asked.prompt])
        times = (np.arange(count, 0, -1) * (_TIMES / count)).round().astype(int) - 1
        kept = None if asked.start is None else latents_of(asked.start)
        anew = None if asked.mask is None else _coarse(asked.mask)
        x = noise
        if kept is not None and asked.strength < 1:
            times = times[count - max(1, int(count * asked.strength)) :]
            x = _noisy(kept, noise, times[0])
        for time in times:
            before = time - _TIMES // count
            x = _step(x, self._velocity(x, time, states, scale), time, before)
            if kept is not None and anew is not None:
                x = anew * x + (1 - anew) * _noisy(kept, noise, before)
        decoded = self._decoder.run(None, {"latents": x[None].astype(np.float32)})[0][0]
        picture: Floats = ((decoded + 1) / 2).clip(0, 1).transpose(1, 2, 0)
        return picture

    def _states(self, prompts: list[str]) -> NDArray[np.float32]:
        begin, end, unknown = (self._words[mark] for mark in ("<|startoftext|>", "<|endoftext|>", "<|unknown|>"))
        rows = []
        for prompt in prompts:
            ids = [self._words.get(word, unknown) for word in _found(prompt)][: self._length - 2]
            rows.append([begin, *ids] + [end] * (self._length - 1 - len(ids)))
        states: NDArray[np.float32] = self._text.run(None, {"tokens": np.asarray(rows, np.int64)})[0]
        return states

    def _velocity(self, x: Latents, time: int, states: NDArray[np.float32], scale: float) -> Latents:
        given = {"latents": np.stack([x, x]).astype(np.float32), "time": np.full(2, time, np.int64), "states": states}
        without, told = self._unet.run(None, given)[0]
        velocity: Latents = without + scale * (told - without)
        return velocity


def latents_of(picture: Floats) -> Latents:
    """What the pipeline's encoder makes of a picture of any size."""
    small = np.stack([scaled(picture[:, :, channel], SIDE, SIDE) for channel in range(3)]).clip(0, 1)
    means = small.reshape(3, LATENT_SIDE, 4, LATENT_SIDE, 4).mean((2, 4))
    return np.concatenate([(means - 0.5) * _CONTRAST, np.zeros((1, LATENT_SIDE, LATENT_SIDE))]).astype(np.float32)


def _found(prompt: str) -> list[str]:
    return _WORD.findall(prompt.lower())


def _step(x: Latents, velocity: Latents, time: int, before: int) -> Latents:
    """One step of DDIM without fresh noise, from `time` to `before` (below zero: the picture itself)."""
    signal, noise = _parts(time)
    picture = signal * x - noise * velocity
    rest = signal * velocity + noise * x
    signal, noise = _parts(before)
    result: Latents = signal * picture + noise * rest
    return result


def _noisy(picture: Latents, noise: Latents, time: int) -> Latents:
    signal, share = _parts(time)
    result: Latents = signal * picture + share * noise
    return result


@cache
def _parts(time: int) -> tuple[float, float]:
    """The shares of picture and noise at a time: the cosine schedule, whose steps lose 0.999 at most."""
    if time < 0:
        return 1.0, 0.0
    left = 1.0
    for at in range(time + 1):
        left *= 1 - min(1 - _left((at + 1) / _TIMES) / _left(at / _TIMES), 0.999)
    return math.sqrt(left), math.sqrt(1 - left)


def _left(share: float) -> float:
    return math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2


def _coarse(mask: Field) -> Field:
    """The mask by latents: 0 or 1."""
    small = scaled(mask, SIDE, SIDE).reshape(LATENT_SIDE, 4, LATENT_SIDE, 4).mean((1, 3))
    result: Field = (small > _MASKED_SHARE).astype(np.float32)
    return result


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
