"""The narrow interface between the HTTP side of the engine and whatever computes tokens.

Owns the values that cross it and the `Backend` protocol. Knows token ids only: chat templates, stop strings, tool
calls, text and usage lie above it, so that a further backend (transformers, vLLM) brings none of them along.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

Finish = Literal["stop", "length", "error"]


class EngineFault(Exception):
    """The engine cannot do what was asked; the message may be shown to the caller."""


class Busy(EngineFault):
    """The queue is full: nothing was started, try again later."""


class Unavailable(EngineFault):
    """The model is not (or no longer) able to serve."""


class GrammarRefused(EngineFault):
    """A grammar or JSON schema cannot be compiled."""


class AdapterUnsupported(EngineFault):
    """This backend serves the model's own weights only."""


class AdapterRefused(EngineFault):
    """An adapter's files are damaged, or made for another model; the message says which file and why."""


class AdapterUnknown(EngineFault):
    """There is no adapter of this name."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What to load and with which means.

    `threads` is the number of cores the backend may keep busy; `max_batch` the number of requests decoded together;
    `context_tokens` lowers the model's own context when given. The last three concern the transformers backend alone.
    """

    path: Path
    threads: int
    max_batch: int
    max_waiting: int = 64
    context_tokens: int | None = None
    # auto: what the directory holds; onnx or transformers where it holds both.
    backend: str = "auto"
    # auto: an accelerator if there is one; else a name of torch's.
    device: str = "auto"
    # How many adapters' weights are kept in memory; more may be known.
    max_adapters: int = 128


class Sampling(msgspec.Struct, frozen=True):
    """How a token is picked. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off; penalties as OpenAI's."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    # How many alternatives to report beside each token; None: no log probabilities at all.
    top_logprobs: int | None = None


class Generation(msgspec.Struct, frozen=True):
    """One request in tokens. `grammar` is Lark text as llguidance reads it; `ignore_eos` decodes to `max_tokens`."""

    prompt: list[int]
    max_tokens: int
    sampling: Sampling = Sampling()
    grammar: str | None = None
    ignore_eos: bool = False
    adapter: str | None = None


class TokenLogprob(msgspec.Struct, frozen=True):
    """Natural logarithms of the unmodified distribution: the token picked, and the likeliest, best first."""

    token: int
    logprob: float
    top: list[tuple[int, float]]


class Delta(msgspec.Struct):
    """What happened since the last one. `finish` ends the stream; the end-of-sequence token itself is not in `tokens`."""

    tokens: list[int]
    finish: Finish | None = None
    cached_tokens: int = 0
    logprobs: list[TokenLogprob] | None = None
    error: str | None = None


@dataclass(slots=True)
class Stats:
    """A snapshot for health and for people; rates are over the last seconds, sizes in bytes."""

    state: str
    running: int = 0
    waiting: int = 0
    tokens_per_s: float = 0.0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    requests: int = 0
    context_tokens: int = 0
    max_batch: int = 0
    threads: int = 0
    kind: str = ""
    # How long the step that is now running has taken; a large value means that the backend hangs.
    step_s: float = 0.0
    failures_in_a_row: int = 0
    adapters: int = 0


class TokenStream(Protocol):
    """The deltas of one request. Leaving it early (`cancel`, or closing the iterator) frees its place within a step."""

    def __aiter__(self) -> AsyncIterator[Delta]: ...

    def cancel(self) -> None: ...


class Backend(Protocol):
    """Computes tokens. All methods are called on the event loop's thread and none of them blocks it, except `load`."""

    def load(self, spec: ModelSpec) -> None:
        """Load and warm the model, until a first token was produced. Blocking; raises EngineFault with the reason."""

    async def submit(self, generation: Generation) -> TokenStream:
        """Queue one request. Raises Busy, Unavailable, GrammarRefused or AdapterUnsupported before anything is spent."""

    async def load_adapter(self, name: str, path: Path, *, replace: bool = False) -> None:
        """Make an adapter known under a name. Raises AdapterRefused, AdapterUnsupported, FileNotFoundError."""

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; requests that use it go on. Raises AdapterUnknown, AdapterUnsupported."""

    def adapters(self) -> dict[str, Path]:
        """Known adapters and their directories, oldest first."""

    def stats(self) -> Stats: ...

    def close(self) -> None:
        """End every request and release the model; returns when the worker has ended, or after two seconds."""
