"""A served model's directory: what is in it, whether it is whole, and the facts that serving needs.

Owns the reading of `genai_config.json`, `tokenizer_config.json`, the chat template and `craton.json`; what Hugging Face's
configuration says is `hfdir`'s. Opens no model.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from craton.engine.backend import EngineFault, Sampling
from craton.engine.guidance import CallMarkers
from craton.engine.hfdir import facts_of

# Larger files are trusted at start: hashing them would cost longer than loading.
HASHED_BYTES = 512 << 20
# Markers that models in the wild (Hermes, Qwen) were trained on, tried when the directory names none.
KNOWN_MARKERS = (("<tool_call>", "</tool_call>"),)
SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


class ModelDirectoryFault(EngineFault):
    """The directory cannot be served; `problems` says everything that is missing or wrong, one sentence each."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(f"{path} cannot be served: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """The facts of one directory. `templates` maps a name (mostly `default`) to Jinja text; empty for base models."""

    path: Path
    model_id: str
    context_tokens: int
    vocabulary: int
    eos: frozenset[int]
    markers: CallMarkers | None
    sampling: Sampling
    templates: dict[str, str] = field(default_factory=dict)
    special_tokens: dict[str, str] = field(default_factory=dict)
    bos: int | None = None
    compact_json: bool = True
    hashes: dict[str, str] = field(default_factory=dict)


def describe(path: Path, backend: str = "onnx") -> ModelDirectory:
    """Read and check a directory for a backend. Raises ModelDirectoryFault listing every problem found."""
    problems: list[str] = []
    if not path.is_dir():
        raise ModelDirectoryFault(path, ["there is no such directory"])
    genai = _as_kept_by_hugging_face(path, problems) if backend == "transformers" else _as_exported(path, problems)
    tokens = _document(path, "tokenizer.json", problems)
    settings = _document(path, "tokenizer_config.json", problems, optional=True) or {}
    ours = _document(path, "craton.json", problems, optional=True) or {}
    if problems or genai is None or tokens is None:
        raise ModelDirectoryFault(path, problems)
    return _facts(path, genai, tokens, settings, ours)


def _as_exported(path: Path, problems: list[str]) -> dict[str, Any] | None:
    genai = _document(path, "genai_config.json", problems)
    if genai is None:
        if (path / "config.json").exists():
            problems.append("it looks like a Hugging Face directory: convert it first (craton models add does that)")
        return None
    problems += _weights_missing(path, genai.get("model", {}))
    return genai


def _as_kept_by_hugging_face(path: Path, problems: list[str]) -> dict[str, Any] | None:
    config = _document(path, "config.json", problems)
    generation = _document(path, "generation_config.json", problems, optional=True) or {}
    return facts_of(path, config, generation, problems) if config is not None else None


class Recorded(Protocol):
    """A directory whose files' hashes stand in its craton.json."""

    @property
    def path(self) -> Path: ...

    @property
    def hashes(self) -> dict[str, str]: ...


def verify(found: Recorded) -> None:
    """Compare the recorded hashes of all files up to HASHED_BYTES. Raises ModelDirectoryFault naming those that differ."""
    problems = []
    for name, wanted in found.hashes.items():
        file = found.path / name
        if not file.is_file():
            problems.append(f"{name} is recorded in craton.json and missing")
        elif file.stat().st_size <= HASHED_BYTES and sha256(file) != wanted:
            problems.append(f"{name} is not the file that craton.json records (its SHA-256 differs)")
    if problems:
        raise ModelDirectoryFault(found.path, problems)


def sha256(file: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _facts(
    path: Path, genai: dict[str, Any], tokens: dict[str, Any], settings: dict[str, Any], ours: dict[str, Any]
) -> ModelDirectory:
    model = genai["model"]
    special = _special_tokens(path, settings)
    added = {each["content"]: each["id"] for each in tokens.get("added_tokens", [])}
    eos = _ids(model.get("eos_token_id")) | _ids(ours.get("eos"))
    if special.get("eos_token") in added:
        eos |= {added[special["eos_token"]]}
    context = min(int(model["context_length"]), int(ours.get("context_tokens", 1 << 30)))
    bos = added.get(special.get("bos_token", "")) if settings.get("add_bos_token") else None
    markers = _markers(ours, added)
    return ModelDirectory(
        path=path,
        model_id=str(ours.get("id", path.resolve().name)),
        context_tokens=context,
        vocabulary=int(model["vocab_size"]),
        eos=frozenset(eos),
        markers=markers,
        sampling=_sampling(genai.get("search", {}), ours.get("sampling")),
        templates=_templates(path, settings),
        special_tokens=special,
        bos=bos,
        compact_json=markers.compact if markers else bool(ours.get("compact_json", False)),
        hashes=dict(ours.get("sha256", {})),
    )


def _document(path: Path, name: str, problems: list[str], *, optional: bool = False) -> dict[str, Any] | None:
    file = path / name
    if not file.is_file():
        if not optional:
            problems.append(f"{name} is missing")
        return None
    try:
        document = json.loads(file.read_bytes())
    except ValueError:
        problems.append(f"{name} is not valid JSON")
        return None
    if not isinstance(document, dict):
        problems.append(f"{name} does not hold a JSON object")
        return None
    return document


def _weights_missing(path: Path, model: dict[str, Any]) -> list[str]:
    problems = [f"genai_config.json lacks model.{key}" for key in ("vocab_size", "context_length") if key not in model]
    decoder = model.get("decoder", {})
    names = [decoder["filename"]] if "filename" in decoder else []
    for stage in decoder.get("pipeline", []):
        names += [part["filename"] for part in stage.values() if isinstance(part, dict) and "filename" in part]
    if not names:
        problems.append("genai_config.json names no model file (model.decoder.filename)")
    return problems + [f"{name} is missing" for name in names if not (path / name).is_file()]


def _templates(path: Path, settings: dict[str, Any]) -> dict[str, str]:
    """A template in its own file wins, as in transformers; a list holds several by name (`tool_use`, `rag`)."""
    file = path / "chat_template.jinja"
    if file.is_file():
        return {"default": file.read_text("utf-8")}
    found = settings.get("chat_template")
    if isinstance(found, str):
        return {"default": found}
    if isinstance(found, list):
        return {str(each["name"]): str(each["template"]) for each in found}
    return {}


def _special_tokens(path: Path, settings: dict[str, Any]) -> dict[str, str]:
    named = {**(_document(path, "special_tokens_map.json", [], optional=True) or {}), **settings}
    values = {name: named.get(name) for name in SPECIAL_NAMES}
    return {
        name: str(value["content"]) if isinstance(value, dict) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _markers(ours: dict[str, Any], added: dict[str, int]) -> CallMarkers | None:
    """The directory's own markers, else known ones that are tokens of this vocabulary."""
    if "tool_call" in ours:
        named = ours["tool_call"]
        if not named:
            return None
        start, end = str(named["start"]), str(named["end"])
        compact = bool(named.get("compact", True))
        if start in added and end in added:
            return CallMarkers(start, end, added[start], added[end], compact=compact)
        return CallMarkers(start, end, compact=compact)
    for start, end in KNOWN_MARKERS:
        if start in added and end in added:
            return CallMarkers(start, end, added[start], added[end], compact=False)
    return None


def _sampling(search: dict[str, Any], ours: dict[str, Any] | None) -> Sampling:
    """What a request that names no temperature gets: the directory's own wish, else the exporter's, else greedy."""
    wish = ours if ours is not None else search if search.get("do_sample") else {}
    return Sampling(
        temperature=float(wish.get("temperature", 0.0)),
        top_p=float(wish.get("top_p", 1.0)),
        top_k=int(wish.get("top_k", 0)),
    )


def _ids(value: object) -> set[int]:
    if isinstance(value, int):
        return {value}
    return {int(each) for each in value} if isinstance(value, list) else set()
