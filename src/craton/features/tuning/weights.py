"""A base model opened for training: its adapter or its own weights, and the log-probabilities that blocks ask for.

Owns everything that touches torch's modules. Adapters are peft's LoRA over all linear layers, so what is saved is
what every server of adapters reads. Only safetensors are opened, and no code of a model directory runs.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from craton.features.tuning.lora import quicken
from craton.features.tuning.packing import Block
from craton.features.tuning.plan import Settings
from craton.features.tuning.progress import TuningFault
from craton.infra.compute.weights_hash import weights_hash

# Decoders whose attention takes a mask of any form, and whose logits are the head's alone: only these are packed.
PACKED = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "olmo2", "smollm3"})


class Learner:
    """The model, with what is trained in it."""

    def __init__(self, directory: Path, settings: Settings, threads: int, rank: int = 0) -> None:
        """`rank` chooses among several accelerators. Raises TuningFault for a base that cannot be opened or trained."""
        torch.set_num_threads(threads)
        torch.manual_seed(settings.seed)
        self.device = f"cuda:{rank % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
        if self.device == "cpu":
            torch.use_deterministic_algorithms(
                mode=True
            )  # a run that was cut ends with the weights of one that was not
        self.directory = directory
        self.tokenizer = open_tokenizer(directory)
        self.end = int(self.tokenizer.eos_token_id)
        self.model: Any = _opened(directory, self.device)
        self.packs = str(self.model.config.model_type) in PACKED
        self.adapter: Any = _adapted(self.model, settings) if settings.rank else None
        if self.adapter is None:
            self.model.requires_grad_(requires_grad=True)
        if self.device != "cpu":
            torch.cuda.set_device(self.device)
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        self.model.train()
        self.trained: dict[str, Tensor] = {
            name: weight for name, weight in self.model.named_parameters() if weight.requires_grad
        }

    @property
    def counts(self) -> tuple[int, int]:
        """Weights that are trained, and all."""
        return sum(each.numel() for each in self.trained.values()), sum(
            each.numel() for each in self.model.parameters()
        )

    def logprobs(self, block: Block) -> Tensor:
        """The log-probability of each of the block's targets."""
        targets = torch.from_numpy(block.targets).to(self.device)
        return -torch.nn.functional.cross_entropy(self._logits(block).float(), targets, reduction="none")

    def _logits(self, block: Block) -> Tensor:
        """The head's output where something is to be predicted, and only there."""
        ids = torch.from_numpy(block.ids).to(self.device)
        at = torch.from_numpy(block.at).to(self.device)
        if not self.packs:
            whole: Tensor = self.model(input_ids=ids, use_cache=False).logits
            return whole.flatten(0, 1)[at]
        segments = torch.from_numpy(block.segments).to(self.device)
        mask = None
        if not bool((block.segments == 0).all()):
            mask = (segments[:, :, None] == segments[:, None, :]).tril()[:, None]
        positions = torch.from_numpy(block.positions).to(self.device)
        decoder, head = self.model.get_decoder(), self.model.get_output_embeddings()
        hidden: Tensor = decoder(input_ids=ids, position_ids=positions, attention_mask=mask, use_cache=False)[0]
        logits: Tensor = head(hidden.flatten(0, 1)[at])
        return logits

    def answers(self, prompts: Sequence[NDArray[np.int32]], most: int, temperature: float) -> list[NDArray[np.int32]]:
        """An answer of at most `most` tokens to each prompt, drawn at a temperature (0: the likeliest), with its end."""
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), longest), self.end, dtype=torch.long, device=self.device)
        mask = torch.zeros_like(ids)
        for at, prompt in enumerate(prompts):
            ids[at, longest - len(prompt) :] = torch.from_numpy(prompt)
            mask[at, longest - len(prompt) :] = 1
        how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        with self.judging():
            found = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=most,
                pad_token_id=self.end,
                eos_token_id=self.end,
                **how,
            )
        return [self._ended(row) for row in found[:, longest:].cpu().numpy().astype(np.int32)]

    def _ended(self, answer: NDArray[np.int32]) -> NDArray[np.int32]:
        ends = np.flatnonzero(answer == self.end)
        return answer[: ends[0] + 1] if len(ends) else answer

    def text(self, answer: NDArray[np.int32]) -> str:
        """What an answer says."""
        said: str = self.tokenizer.decode(answer, skip_special_tokens=True)
        return said

    @contextlib.contextmanager
    def judging(self) -> Iterator[None]:
        """Within it nothing is learned, and nothing dropped out."""
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.train()

    @contextlib.contextmanager
    def as_base(self) -> Iterator[None]:
        """Within it the model answers as it did before training; only where an adapter is trained."""
        with self.adapter.disable_adapter():
            yield

    def state(self) -> dict[str, Tensor]:
        """What is trained, as it is now."""
        return {name: weight.detach().cpu().clone() for name, weight in self.trained.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(state[name])

    def save(self, folder: Path, *, merged: bool = False) -> None:
        """The adapter as peft's files, or the whole model with its tokenizer, in safetensors.

        `merged` makes one of both; nothing can be learned after that.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.adapter is not None and merged:
            self.model, self.adapter = self.adapter.merge_and_unload(), None
        if self.adapter is not None:
            self.adapter.save_pretrained(folder, safe_serialization=True)
            (folder / "README.md").unlink(missing_ok=True)
            _forget_path(folder / "adapter_config.json")
            return
        self.model.save_pretrained(folder, safe_serialization=True)
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"):
            if (self.directory / name).is_file():
                (folder / name).write_bytes((self.directory / name).read_bytes())


def base_hash(directory: Path) -> str:
    """The SHA-256 over the names and hashes of a model's weights: by it a custom model knows its base again."""
    return weights_hash(directory)


def open_tokenizer(directory: Path) -> Any:
    """Raises TuningFault."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False)
    except (OSError, ValueError, KeyError) as fault:
        raise TuningFault("base", f"the base model's tokenizer cannot be opened: {_first_line(fault)}") from fault
    if not tokenizer.is_fast:
        raise TuningFault("base", "the base model has no tokenizer.json, which training needs")
    return tokenizer


def _opened(directory: Path, device: str) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if not any(directory.glob("*.safetensors")):
        raise TuningFault("base", "the base model has no weights in safetensors, which training needs")
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(directory), dtype=dtype, trust_remote_code=False, use_safetensors=True, attn_implementation="sdpa"
        )
    except (OSError, ValueError, KeyError, RuntimeError) as fault:
        raise TuningFault("base", f"the base model cannot be opened: {_first_line(fault)}") from fault
    model.requires_grad_(requires_grad=False)
    return model.to(device)


def _adapted(model: Any, settings: Settings) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type=TaskType.CAUSAL_LM,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as fault:
        raise TuningFault("base", f"the base model takes no adapter: {_first_line(fault)}") from fault
    quicken(adapted)
    return adapted


def _forget_path(file: Path) -> None:
    """What peft writes there is where the base lay: a path of this machine has no place in what travels."""
    config = json.loads(file.read_bytes())
    config["base_model_name_or_path"] = None
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:300]
