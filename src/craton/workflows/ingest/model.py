"""Who answers to a knowledge base's embedding model on this server, and what tells that it is another one than before.

Owns the fingerprint of whoever embeds: the configured targets, or the local model with its files. Vectors of different
fingerprints are never held against each other. It must not know documents.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from craton.config import Settings
from craton.features.hosting.registry import registered
from craton.features.rag.embedding import Embedding, ident_of
from craton.infra.store.port import Reader, fingerprint
from craton.models.catalog.local import LocalModel, boxed_models, standin_of


class Answering(msgspec.Struct, frozen=True):
    """`directory` is where the model's files lie, None where it is elsewhere; `mark` a short hash of who answers."""

    mark: str
    directory: str | None = None


def answering(store: Reader, settings: Settings, embedding: Embedding) -> Answering:
    """Who embeds, as the configuration and the registered models are now."""
    ident = ident_of(embedding.model)
    local = local_model(store, settings, ident)
    targets = next((one.target for one in settings.file.model if one.id in (ident, embedding.model)), [])
    who: object = [(one.provider, one.base_url, one.model) for one in targets] or _files(local)
    whole = (ident, embedding.schema, embedding.dimensions, embedding.kind, who)
    return Answering(fingerprint(whole)[:12], local.directory if local is not None and not targets else None)


def local_model(store: Reader, settings: Settings, ident: str) -> LocalModel | None:
    """The local model with this id, else the one that stands in for embedding models."""
    models = {model.id: model for model in (*boxed_models(), *registered(store, settings.account))}
    found = models.get(ident)
    if found is not None:
        return found
    table = settings.file.standins
    return standin_of("embedding", models.values(), table.embedding) if table.enabled else None


def _files(model: LocalModel | None) -> list[tuple[str, int]]:
    """The names and sizes of a model's files: an id's weights never change, but a registered id may be given anew."""
    if model is None:
        return []
    return [
        (model.id, 0),
        *sorted((one.name, one.stat().st_size) for one in Path(model.directory).iterdir() if one.is_file()),
    ]
