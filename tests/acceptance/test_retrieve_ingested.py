"""Retrieval behind a real sync: what was put into the bucket is found, what was taken out is not."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.knowledge import knowledge
from tests.acceptance.retrieving import retrieving


def test_what_was_ingested_is_found(tmp_path: Path) -> None:
    """With its place, its metadata and its text; after it was deleted and synced again it is gone."""
    with retrieving(tmp_path / "home") as served:
        known = knowledge(served.server, "ingested")
        uri = known.put("tea.txt", "Tea is brewed for three minutes.", {"drink": "tea"})
        known.put("milk.txt", "Milk is kept cold.")
        assert known.sync()["status"] == "COMPLETE"

        def found() -> list[tuple[str, str | None]]:
            answer = known.runtime.retrieve(
                knowledgeBaseId=known.base, retrievalQuery={"text": "how long is tea brewed"}
            )
            return [(one["documentId"], one["metadata"].get("drink")) for one in answer["retrievalResults"]]

        assert found()[0] == (uri, "tea")
        assert len(found()) == 2
        s3 = served.server.client("s3")
        s3.delete_object(Bucket=known.bucket, Key="tea.txt")
        assert known.sync()["status"] == "COMPLETE"
        assert [ident for ident, _ in found()] == [f"s3://{known.bucket}/milk.txt"]
