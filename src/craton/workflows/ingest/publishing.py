"""The one transaction by which a draft becomes what people see: the ledger, the knowledge base's row, the job's end.

Owns what is written together, so that an index generation is visible whole or not at all, and how reasons of failures
read. It must not know how the draft came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from craton.features.rag import ledger
from craton.features.rag.documents import Document
from craton.features.rag.resources import DELETING, KnowledgeBase
from craton.infra.store.port import Transaction
from craton.infra.vectors.port import Version
from craton.workflows.workflow import JobFailed

MAX_REASON, MAX_REASONS = 2048, 2048
"""Source: the service model's FailureReason and FailureReasons."""
GONE = "The knowledge base was deleted while its documents were taken in."
_BEFORE, _BEHIND = "Encountered error: ", "]. Call to Customer Source did not succeed."


class Settled(msgspec.Struct):
    """What became of documents, by the id of their source: rows to write, rows to forget."""

    kept: dict[str, list[Document]] = {}
    gone: dict[str, list[Document]] = {}

    def keep(self, document: Document) -> None:
        self.kept.setdefault(document.source, []).append(document)

    def forget(self, documents: Iterable[Document]) -> None:
        for one in documents:
            self.gone.setdefault(one.source, []).append(one)


def publish(transaction: Transaction, base: str, version: Version | None, settled: Settled, now_us: int) -> None:
    """Write what is to be seen from now on. Raises JobFailed where the knowledge base is gone."""
    row = transaction.get(base)
    if row is None or row.status == DELETING:
        raise JobFailed(GONE)
    body = row.read(KnowledgeBase)
    if body.index != version:
        changed = msgspec.structs.replace(body, index=version)
        transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(changed)))
    for source in settled.kept.keys() | settled.gone.keys():
        kept = [msgspec.structs.replace(one, updated_at=now_us) for one in settled.kept.get(source, ())]
        gone = settled.gone.get(source, ())
        transaction.run(lambda c, kept=kept, gone=gone: ledger.settle(c, kept, gone))  # type: ignore[misc]


def reasons(failures: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Failures as Bedrock's jobs tell them: each reason with the files that it is about, in as many texts as they need."""
    told: list[str] = []
    for reason, files in failures.items():
        head = f"{_BEFORE}{reason[:1000]} [Files: "
        line = ""
        for file in files:
            if line and len(head) + len(line) + len(file) + 2 + len(_BEHIND) > MAX_REASON:
                told.append(f"{head}{line}{_BEHIND}")
                line = ""
            line = f"{line}, {file}" if line else file[: MAX_REASON - len(head) - len(_BEHIND)]
        told.append(f"{head}{line}{_BEHIND}")
    return tuple(told[:MAX_REASONS])
