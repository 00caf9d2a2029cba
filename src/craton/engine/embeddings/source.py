"""A directory as transformers and sentence-transformers write it: what it is, and whether it can be converted.

Owns the reading of `config.json`, `modules.json` and what they lead to, and the plain words for what is missing or not
supported. Reads no weights but their names.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from craton.engine.backend import EngineFault
from craton.engine.embeddings.directory import Kind
from craton.engine.embeddings.families import ACTIVATIONS, FAMILIES, Family
from craton.engine.embeddings.heads import DENSE_ACTIVATIONS, POOLINGS, Dense
from craton.engine.embeddings.weights import Checkpoint, WeightsFault, weight_files

# What a model reads where nothing says less: sentence-transformers' own default for encoders.
LONGEST = 512
WORDS = "embeddings.word_embeddings.weight"
# One layer's attention scores of one text, heads x length² x 4 bytes, stay within this: 4,096 tokens with 16 heads.
SCORES_BYTES = 1 << 30
# Names under which models of this kind keep their prompts, and what they are for.
PROMPTS = {"query": "query", "search_query": "query"}
PROMPTS |= dict.fromkeys(("document", "passage", "corpus", "search_document"), "document")
# The members of a pooling's config.json before `pooling_mode` had a name.
POOLING_SWITCHES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
}


class SourceFault(EngineFault):
    """The directory cannot be converted; the message says why, one sentence each."""


@dataclass(frozen=True)
class Source:
    """What conversion needs to know. `root` holds the encoder and its tokenizer, mostly `path` itself; `dense` are the modules between pooling and normalisation."""

    path: Path
    root: Path
    kind: Kind
    family: Family
    config: dict[str, Any]
    checkpoint: Checkpoint
    prefix: str
    context_tokens: int
    pooling: str = "mean"
    normalised: bool = False
    dense: list[Dense] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)


def recognised(path: Path) -> bool:
    """Whether a directory holds an encoder rather than a model that writes text."""
    if (path / "modules.json").is_file():
        return True
    config = document(path, "config.json")
    names = [str(each) for each in config.get("architectures") or []]
    fits = any(each.endswith(("Model", "ForSequenceClassification", "ForMaskedLM", "ForPreTraining")) for each in names)
    return config.get("model_type") in FAMILIES and (fits or not names)


def read(path: Path) -> Source:
    """Everything about a directory. Raises SourceFault."""
    modules = _modules(path)
    root = path / modules[0]["path"] if modules else path
    config = document(root, "config.json")
    if not config:
        raise SourceFault(f"{path} cannot be converted: config.json is missing or damaged")
    family = FAMILIES.get(str(config.get("model_type")))
    problems = _missing(root) + _unsupported(config, family)
    if problems or family is None:
        raise SourceFault(f"{path} cannot be converted: " + "; ".join(problems))
    checkpoint = Checkpoint(root)
    prefix = next((name.removesuffix(WORDS) for name in checkpoint if name.endswith(WORDS)), None)
    if prefix is None:
        raise SourceFault(f"{path} cannot be converted: its weights lack {WORDS}")
    length = _length(root, config, family)
    if _classifies(path, config):
        return Source(path, root, "rerank", family, config, checkpoint, prefix, length)
    found = Source(path, root, "embedding", family, config, checkpoint, prefix, length, prompts=prompts(path))
    return _with_modules(found, modules[1:]) if modules else found


def document(path: Path, name: str) -> dict[str, Any]:
    """A JSON object of the directory; empty when it is missing or none."""
    try:
        found = json.loads((path / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def prompts(path: Path) -> dict[str, str]:
    """What is written before a query and before a document; "" as key for texts of no stated purpose."""
    told = document(path, "config_sentence_transformers.json")
    named = told.get("prompts") if isinstance(told.get("prompts"), dict) else {}
    found = {PROMPTS[name]: str(text) for name, text in (named or {}).items() if name in PROMPTS and text}
    default = (named or {}).get(told.get("default_prompt_name"))
    return {**found, **({"": str(default)} if default else {})}


def _modules(path: Path) -> list[dict[str, Any]]:
    """sentence-transformers' modules in order; none for a directory of transformers alone."""
    file = path / "modules.json"
    if not file.is_file():
        return []
    try:
        found = json.loads(file.read_bytes())
        modules = [{"path": str(each["path"]), "type": str(each["type"])} for each in found]
    except (ValueError, KeyError, TypeError):
        raise SourceFault(f"{path} cannot be converted: modules.json is damaged") from None
    inside = path.resolve()
    if not modules or not all((path / each["path"]).resolve().is_relative_to(inside) for each in modules):
        raise SourceFault(f"{path} cannot be converted: modules.json names no modules, or some outside it")
    return modules


def _missing(root: Path) -> list[str]:
    problems = []
    if not (root / "tokenizer.json").is_file():
        problems.append("tokenizer.json is missing (transformers' fast tokenizer saves it)")
    if not all(file.is_file() for file in weight_files(root)) or not weight_files(root):
        found = "only pickled weights are there (*.bin), which are not read; " if any(root.glob("*.bin")) else ""
        problems.append(f"{found}model.safetensors is missing")
    return problems


def _unsupported(config: dict[str, Any], family: Family | None) -> list[str]:
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        return [f"model_type is {config.get('model_type')!r}; encoders of these can be converted: {known}"]
    problems = []
    activation = str(family.setting(config, "hidden_act", "gelu"))
    if activation not in ACTIVATIONS:
        problems.append(f"its activation {activation!r} is not supported")
    if config.get("position_embedding_type", "absolute") != "absolute":
        problems.append(f"position_embedding_type {config['position_embedding_type']!r} is not supported")
    if config.get("is_decoder") or config.get("add_cross_attention"):
        problems.append("it is a decoder")
    return problems


def _classifies(path: Path, config: dict[str, Any]) -> bool:
    """Whether it is a cross-encoder. Raises SourceFault for a classifier that gives no single score."""
    names = [str(each) for each in config.get("architectures") or []]
    if not any(each.endswith("ForSequenceClassification") for each in names):
        if any(each.endswith("ForMaskedLM") for each in names) and not (path / "modules.json").is_file():
            raise SourceFault(
                f"{path} cannot be converted: it fills in masked words and was not trained to embed texts; "
                "if it was, give it the modules.json of sentence-transformers"
            )
        return False
    labels = config.get("num_labels") or len(config.get("id2label") or {0: "", 1: ""})
    if labels != 1:
        raise SourceFault(f"{path} cannot be converted: it sorts into {labels} classes; a reranker has one label")
    return True


def _length(root: Path, config: dict[str, Any], family: Family) -> int:
    """The most tokens: sentence-transformers' limit, else the tokenizer's, within the positions and our memory."""
    positions = int(config.get("max_position_embeddings") or LONGEST)
    heads = int(family.setting(config, "num_attention_heads", 12))
    if family.positions_after_padding:
        positions -= int(config.get("pad_token_id") or 0) + 1
    wishes = [document(root, name).get("max_seq_length") for name in ("sentence_bert_config.json",)]
    wishes.append(document(root, "tokenizer_config.json").get("model_max_length"))
    given = [int(each) for each in wishes if isinstance(each, int | float) and 0 < each <= positions]
    return min(given[0] if given else positions, math.isqrt(SCORES_BYTES // (4 * heads)))


def _with_modules(found: Source, modules: list[dict[str, Any]]) -> Source:
    """Take up what follows the encoder. Raises SourceFault for a module that the graph has no counterpart of."""
    pooling, normalised, dense = "mean", False, []
    for module in modules:
        name = module["type"].rpartition(".")[2]
        place = found.path / module["path"]
        if name == "Pooling":
            pooling = _pooling(found.path, document(place, "config.json"))
        elif name == "Normalize":
            normalised = True
        elif name == "Dense":
            dense.append(_dense(found.path, place))
        elif name != "Dropout":
            raise SourceFault(f"{found.path} cannot be converted: its module {name} is not supported")
    return replace(found, pooling=pooling, normalised=normalised, dense=dense)


def _pooling(path: Path, config: dict[str, Any]) -> str:
    """One mode: by its name (`pooling_mode`, newer files) or as the one switch that is on."""
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or [])
    modes = modes or [POOLING_SWITCHES.get(name, name) for name, on in config.items() if on is True]
    modes = [mode for mode in modes if mode != "include_prompt"]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        told = ", ".join(map(str, modes)) or "none"
        raise SourceFault(f"{path} cannot be converted: its pooling ({told}) is not supported")
    return str(modes[0])


def _dense(path: Path, place: Path) -> Dense:
    config = document(place, "config.json")
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in DENSE_ACTIVATIONS:
        raise SourceFault(
            f"{path} cannot be converted: the activation {activation} of its Dense module is not supported"
        )
    try:
        checkpoint = Checkpoint(place)
    except WeightsFault as fault:
        raise SourceFault(f"{path} cannot be converted: {fault}") from None
    return Dense(checkpoint, DENSE_ACTIVATIONS[activation], bool(config.get("bias", True)))
