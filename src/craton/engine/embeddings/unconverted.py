"""A directory of sentence-transformers, served as it is: its graph is written when it is opened and gone when it is read.

So a package that holds such a directory needs no place of its own for a second copy; it takes half a second at each start.
Owns that way. How a graph is made is `package`'s.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from craton.engine.embeddings.directory import GRAPH, Card, EncoderDirectory
from craton.engine.embeddings.package import write_graph
from craton.engine.embeddings.session import Session
from craton.engine.embeddings.source import read


def open_unconverted(path: Path, threads: int) -> tuple[EncoderDirectory, Session]:
    """What the directory holds, and the session that computes it. Blocking; raises EngineFault."""
    found = read(path)
    with tempfile.TemporaryDirectory(prefix="encoder-") as scratch:
        graph = Path(scratch) / GRAPH
        write_graph(found, "fp32", graph)
        session = Session(graph, threads)  # has all of it in memory, or mapped
    card = Card(
        id=path.parent.name,
        kind=found.kind,
        context_tokens=found.context_tokens,
        dimensions=session.width if found.kind == "embedding" else 0,
        prompts=found.prompts,
    )
    return EncoderDirectory(path, card), session
