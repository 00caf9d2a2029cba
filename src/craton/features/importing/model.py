"""A folder judged as a whole: from its listing, its small files and the headers of its weights to the facts of a model.

Owns the order of the checks, cheapest first. Pure: whoever calls has read the bytes. What is not checked here is whether
the model computes, which an engine proves once the files are there.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from craton.features.importing import index, shape, tokenizer
from craton.features.importing.architectures import Architecture, architecture_of
from craton.features.importing.document import document
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import CONFIG, INDEX, TOKENIZER, TOKENIZER_CONFIG
from craton.features.importing.safetensors import Tensor

_UNITS = ((2_000_000_000, 1), (16_000_000_000, 2), (40_000_000_000, 4))
_MOST_UNITS = 8


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an import found out about a model."""

    architecture: str
    schema: str
    converse: bool
    instruct: bool
    context_tokens: int
    parameters: int
    exported: bool

    @property
    def units(self) -> int:
        """Custom model units of one copy: by size, as Bedrock's price list shows examples (8 and 70 thousand millions)."""
        return next((units for most, units in _UNITS if self.parameters <= most), _MOST_UNITS)


def weights(names: list[str], texts: Mapping[str, bytes]) -> tuple[Architecture, list[str]]:
    """What the small files alone say: the architecture, and which files of weights belong to the model.

    `names`: the files of weights that are there. Raises BadModel.
    """
    config = document(CONFIG, texts[CONFIG])
    classes = config.get("architectures")
    named = [one for one in classes if isinstance(one, str)] if isinstance(classes, list) else []
    found = architecture_of(named, str(config.get("model_type", "")))
    if config.get("quantization_config") is not None:
        raise BadModel(f"{CONFIG} has a quantization_config. Quantised models cannot be imported.")
    if found.layout is not None:
        shape.size_of(found.layout, config)
    tokenizer.check(texts[TOKENIZER], texts[TOKENIZER_CONFIG])
    return found, index.shards(names, texts.get(INDEX))


def facts(found: Architecture, texts: Mapping[str, bytes], held: Mapping[str, list[Tensor]]) -> Facts:
    """The model as a whole. `held`: each file of weights with its tensors. Raises BadModel."""
    if INDEX in texts:
        index.check_places(texts[INDEX], {file: [one.name for one in tensors] for file, tensors in held.items()})
    shapes = {one.name: one.shape for tensors in held.values() for one in tensors}
    if found.layout is None:  # `architecture_of` has refused it
        raise BadModel(f"Models of the architecture {found.name} cannot be served here.")
    size = shape.size_of(found.layout, document(CONFIG, texts[CONFIG]))
    shape.check(found.layout, size, shapes)
    known = tokenizer.words(texts[TOKENIZER])
    if known > size.words:
        raise BadModel(f"{TOKENIZER} gives ids up to {known - 1}. By {CONFIG} the vocabulary has {size.words} words.")
    instruct = tokenizer.has_template(texts[TOKENIZER_CONFIG], list(texts))
    return Facts(
        architecture=found.name,
        schema=found.schema,
        converse=found.converse and instruct,
        instruct=instruct,
        context_tokens=size.context_tokens,
        parameters=shape.parameters(shapes),
        exported=found.exported,
    )
