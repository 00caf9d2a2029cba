"""Which files of a folder make up a model: what must be there, what may, and what ends the import by its name alone.

Owns names and sizes. A pickle is refused by its name and never opened: reading one runs what stands in it. Files that no
engine needs (programs, pictures, licences) are left where they are. It must not know where the folder is.
"""

from __future__ import annotations

import msgspec

from craton.features.importing.fault import BadModel

CONFIG, INDEX, TOKENIZER, TOKENIZER_CONFIG = (
    "config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
WEIGHTS = ".safetensors"
REQUIRED = (CONFIG, TOKENIZER, TOKENIZER_CONFIG)
TAKEN = frozenset(
    {
        *REQUIRED, INDEX, "generation_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
        "vocab.json", "merges.txt", "chat_template.jinja",
    }
)  # fmt: skip
"""What is fetched beside the weights."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".npz", ".joblib")
MAX_TEXT_BYTES = 64 * 1024 * 1024
"""The largest file that is no weights; tokenizers of 250,000 words have 20 MiB."""
MAX_FILES = 2000


class File(msgspec.Struct, frozen=True, array_like=True):
    """One file: its name in the folder, its size in bytes, and where and in which version it was found."""

    name: str
    size: int
    key: str = ""
    etag: str = ""

    @property
    def is_weights(self) -> bool:
        return self.name.endswith(WEIGHTS)


def chosen(found: list[File], *, max_bytes: int) -> list[File]:
    """The files that make up the model, the small ones first. Raises BadModel.

    Args:
        found: every file under the folder; names with a slash lie deeper.
        max_bytes: how large the weights may be together.
    """
    here = {file.name: file for file in found if "/" not in file.name}
    pickled = sorted(name for name in here if name.lower().endswith(PICKLES))
    if pickled:
        raise BadModel(
            f"{pickled[0]} may be a pickle, which is not opened. Import weights in the safetensors format alone, and remove "
            "the file from the folder."
        )
    missing = [name for name in REQUIRED if name not in here]
    if missing:
        raise BadModel(
            f"The folder lacks {', '.join(missing)}. It must hold a model as Hugging Face's libraries save it."
        )
    if "modules.json" in here:
        raise BadModel("modules.json: this is an embedding model. Embedding models cannot be imported.")
    files = sorted((file for file in here.values() if file.is_weights or file.name in TAKEN), key=_order)
    _check_sizes(files, max_bytes)
    return files


def _order(file: File) -> tuple[bool, str]:
    return file.is_weights, file.name


def _check_sizes(files: list[File], max_bytes: int) -> None:
    weights = [file for file in files if file.is_weights]
    if not weights:
        raise BadModel("The folder holds no weights in the safetensors format (*.safetensors).")
    if len(files) > MAX_FILES:
        raise BadModel(f"The folder holds {len(files)} files. A model may have {MAX_FILES}.")
    total = sum(file.size for file in weights)
    if total > max_bytes:
        raise BadModel(f"The weights have {total} bytes. A model may have {max_bytes}.")
    large = next((file for file in files if not file.is_weights and file.size > MAX_TEXT_BYTES), None)
    if large is not None:
        raise BadModel(f"{large.name} has {large.size} bytes. Only weights may have more than {MAX_TEXT_BYTES}.")
