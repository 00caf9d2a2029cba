"""The index of weights that lie in several files: which tensor is in which.

Owns that an index names files of this very folder: plain names, that are there, each with just the tensors that the
index says. It must not know what the tensors are for.
"""

from __future__ import annotations

import re

from craton.features.importing.document import document
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import INDEX, WEIGHTS

SINGLE = "model.safetensors"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", re.ASCII)


def indexed(data: bytes) -> dict[str, str]:
    """The index's map of tensors to files. Raises BadModel."""
    told = document(INDEX, data).get("weight_map")
    if not isinstance(told, dict) or not told:
        raise BadModel(f"{INDEX} has no weight_map.")
    for tensor, file in told.items():
        if not isinstance(file, str) or not _PLAIN.fullmatch(file) or not file.endswith(WEIGHTS):
            raise BadModel(
                f"{INDEX}: the file of the tensor {tensor[:200]} must be the plain name of a safetensors file in the "
                f"folder, not {str(file)[:200]!r}."
            )
    return told


def shards(names: list[str], index: bytes | None) -> list[str]:
    """The files of weights that belong to the model, of the `names` that are there. Raises BadModel.

    Without an index there is one file.
    """
    if index is None:
        if len(names) > 1 and SINGLE not in names:
            raise BadModel(f"The folder holds {len(names)} files of weights and lacks {INDEX}.")
        return [SINGLE] if SINGLE in names else names
    wanted = sorted(set(indexed(index).values()))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise BadModel(f"The folder lacks {', '.join(missing[:5])}, of which {INDEX} speaks.")
    return wanted


def check_places(index: bytes, held: dict[str, list[str]]) -> None:
    """Raise BadModel unless each file holds the tensors that the index puts there. `held`: file → its tensors."""
    told = indexed(index)
    for file, names in held.items():
        stray = next((name for name in names if told.get(name) != file), None)
        if stray is not None:
            raise BadModel(f"{file} holds the tensor {stray[:200]}, which {INDEX} does not put there.")
    present = {name for names in held.values() for name in names}
    absent = next((name for name in told if name not in present), None)
    if absent is not None:
        raise BadModel(f"{told[absent]} lacks the tensor {absent[:200]}, which {INDEX} puts there.")
