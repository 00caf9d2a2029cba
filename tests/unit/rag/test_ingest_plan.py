"""What a sync decides before it does anything: the plan, which objects are a source's, how reasons of failures read."""

from __future__ import annotations

import pytest

from craton.features.rag.documents import Document, Status
from craton.workflows.ingest.difference import Listed, plan
from craton.workflows.ingest.publishing import MAX_REASON, reasons
from craton.workflows.ingest.recipe import recipe_of
from craton.workflows.ingest.sources import source_of
from craton.workflows.ingest.tokens import estimated

RECIPE = "r1"


def row(name: str, mark: str = "m", *, tags: str = "", recipe: str = RECIPE, status: Status = "INDEXED") -> Document:
    return Document(
        base="b",
        source="s",
        identifier=name,
        kind="S3",
        status=status,
        etag=mark,
        tag_etag=tags,
        recipe=recipe,
        chunks=1,
    )


def test_each_document_has_one_fate() -> None:
    """New, changed, other metadata, another recipe, moved, gone, or nothing at all."""
    listed = [
        Listed("same", "m"), Listed("changed", "n"), Listed("tags", "m", "t2"), Listed("recipe", "m"),
        Listed("to/there", "moved"), Listed("new", "x"),
    ]  # fmt: skip
    known = [
        row("same"), row("changed"), row("tags", tags="t1"), row("recipe", recipe="r0"), row("from/there", "moved"),
        row("gone", "y"),
    ]  # fmt: skip
    found = plan(listed, known, RECIPE)
    assert [one.identifier for one in found.new] == ["new"]
    assert [one.identifier for one, _ in found.modified] == ["changed", "recipe"]
    assert [one.identifier for one, _ in found.retagged] == ["tags"]
    assert [(one.identifier, before.identifier) for one, before in found.moved] == [("to/there", "from/there")]
    assert [one.identifier for one in found.gone] == ["gone"]
    assert found.left == 1


def test_a_move_keeps_type_and_happens_once() -> None:
    """Under another ending a file would be read otherwise; of two copies one is moved and the other new."""
    found = plan([Listed("b.html", "m"), Listed("c.txt", "m"), Listed("d.txt", "m")], [row("a.txt")], RECIPE)
    assert [(one.identifier, before.identifier) for one, before in found.moved] == [("c.txt", "a.txt")]
    assert [one.identifier for one in found.new] == ["b.html", "d.txt"]


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS", "DELETING"])
def test_what_somebody_asks_for_by_itself_is_left_alone(status: Status) -> None:
    """Whether the source has it or not."""
    found = plan([Listed("a", "new")], [row("a", status=status), row("b", status=status)], RECIPE)
    assert (found.new, found.modified, found.gone, found.left) == ([], [], [], 1)


def test_what_failed_is_tried_again() -> None:
    """Even if the file is the same."""
    found = plan([Listed("a", "m")], [row("a", recipe="", status="FAILED")], RECIPE)
    assert [one.identifier for one, _ in found.modified] == ["a"]


def test_an_index_that_begins_anew_moves_nothing() -> None:
    """There is nothing to move in it."""
    found = plan([Listed("b", "m")], [row("a")], RECIPE, anew=True)
    assert ([one.identifier for one in found.new], [one.identifier for one in found.gone]) == (["b"], ["a"])


def test_filters_of_a_connector() -> None:
    """Prefixes, patterns and a folder of metadata files, as managed knowledge bases have them."""
    parameters = {
        "type": "S3", "version": "1", "aclEnabled": True, "metadataFilesPrefix": "meta/",
        "connectionConfiguration": {"bucketName": "books"},
        "filterConfiguration": {"exclusionPrefixes": ["old/"], "inclusionPatterns": [".*\\.txt"],
                                "maxFileSizeInMegaBytes": "2"},
    }  # fmt: skip
    kind = "MANAGED_KNOWLEDGE_BASE_CONNECTOR"
    member = {"connectorParameters": parameters}
    found = source_of({"type": kind, "managedKnowledgeBaseConnectorConfiguration": member})
    assert found.guarded
    assert found.place is not None
    assert [found.place.takes(key) for key in ("a.txt", "old/a.txt", "a.pdf")] == [True, False, False]
    assert found.place.sidecar("x/a.txt") == "meta/x/a.txt.metadata.json"
    assert found.place.most_bytes == 2 * 1024 * 1024


def test_reasons_fit_the_api() -> None:
    """Files of one reason stand together, in as many texts as their length asks for."""
    files = [f"s3://bucket/{'x' * 90}/{number}.txt" for number in range(50)]
    told = reasons({"The document is empty.": files, "Other.": ["s3://b/c"]})
    assert told[-1] == "Encountered error: Other. [Files: s3://b/c]. Call to Customer Source did not succeed."
    assert all(len(one) <= MAX_REASON for one in told)
    assert all(sum(file in one for one in told) == 1 for file in files)


def test_a_recipe_tells_ways_apart() -> None:
    """Other chunking or another model is another recipe; the same again is the same."""
    fixed = {"chunkingConfiguration": {"chunkingStrategy": "NONE"}}
    assert recipe_of({}, "m").hash == recipe_of({}, "m").hash
    assert len({recipe_of({}, "m").hash, recipe_of(fixed, "m").hash, recipe_of({}, "n").hash}) == 3


def test_estimates_of_tokens_are_on_the_safe_side() -> None:
    """A word is at least one token, a long one several, a sign one."""
    assert estimated(["", "the cat.", "internationalization"]) == [0, 3, 4]
