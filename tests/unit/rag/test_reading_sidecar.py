"""Metadata files in both forms, access lists in all of theirs, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.features.rag.access import BadMetadata, access_of, read_global_access
from craton.features.rag.sidecar import Sidecar, Structure, read_sidecar
from craton.infra.vectors.port import Access

ANNA = {"Name": "anna@example.com", "Type": "USER", "Access": "ALLOW"}
BEN = {"Name": "ben@example.com", "Type": "USER", "Access": "DENY"}


def side(**members: Any) -> Sidecar:
    return read_sidecar(json.dumps(members).encode())


def typed(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"value": {"type": kind, f"{kind.split('_')[0].lower()}{'List' if '_' in kind else ''}Value": value}, **more}


def test_bare_values_are_taken_as_they_are() -> None:
    """Strings, numbers (all of them floats), booleans, lists of strings; nothing is embedded."""
    found = side(metadataAttributes={"tag": "x", "year": 2024, "rate": 0.5, "open": True, "list": ["a", "b"]})
    assert found == Sidecar({"tag": "x", "year": 2024.0, "rate": 0.5, "open": True, "list": ("a", "b")})
    assert isinstance(found.attributes["year"], float)
    assert found.attributes["open"] is True


def test_typed_values_may_be_embedded() -> None:
    """Those that say so stand before the text for the embedding model, in the file's order."""
    found = side(
        metadataAttributes={
            "title": typed("STRING", "Pumps", includeForEmbedding=True),
            "year": typed("NUMBER", 2024, includeForEmbedding=True),
            "draft": typed("BOOLEAN", False, includeForEmbedding=True),
            "tags": typed("STRING_LIST", ["a", "b"], includeForEmbedding=True),
            "hidden": typed("STRING", "no", includeForEmbedding=False),
            "bare": "no",
        }
    )
    assert found.attributes["tags"] == ("a", "b")
    assert found.prefix() == "title: Pumps\n\nyear: 2024\n\ndraft: false\n\ntags: a, b\n\n"


def test_columns_of_a_csv() -> None:
    """One content field; the others are named or not."""
    fields = {"contentFields": [{"fieldName": "text"}]}
    kind = "RECORD_BASED_STRUCTURE_METADATA"
    assert side(documentStructureConfiguration={"type": kind, "recordBasedStructureMetadata": fields}).structure == (
        Structure("text")
    )
    fields["metadataFieldsSpecification"] = {  # type: ignore[assignment]
        "fieldsToInclude": [{"fieldName": "a"}, {"fieldName": "b"}], "fieldsToExclude": [{"fieldName": "b"}],
    }  # fmt: skip
    found = side(documentStructureConfiguration={"type": kind, "recordBasedStructureMetadata": fields})
    assert found.structure == Structure("text", ("a", "b"), ("b",))
    fields["contentFields"] = [{"fieldName": "a"}, {"fieldName": "b"}]
    with pytest.raises(BadMetadata, match="exactly one"):
        side(documentStructureConfiguration={"type": kind, "recordBasedStructureMetadata": fields})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{" + b" " * 10_240 + b"}", "10 KB"),
        (b"{nonsense", "valid JSON"),
        (b"\xff\xfe{}", "valid JSON"),
        (b"[" * 5000, "valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"metadataAttributes": []}', "not an object"),
        (b'{"metadataAttributes": {"a": null}}', "'a' is not"),
        (b'{"metadataAttributes": {"a": ""}}', "'a' is not"),
        (b'{"metadataAttributes": {"a": []}}', "'a' is not"),
        (b'{"metadataAttributes": {"a": [1]}}', "'a' is not"),
        (b'{"metadataAttributes": {"": 1}}', "1 to 200"),
        (b'{"metadataAttributes": {"a": 1' + b"0" * 400 + b"}}", "too large"),
        (b'{"metadataAttributes": {"a": {"value": "x"}}}', "of the type"),
        (b'{"metadataAttributes": {"a": {"value": {"type": "DATE", "stringValue": "x"}}}}', "of the type"),
        (b'{"metadataAttributes": {"a": {"value": {"type": "NUMBER", "stringValue": "1"}}}}', "of the type"),
        (b'{"metadataAttributes": {"a": {"value": {"type": "NUMBER", "numberValue": true}}}}', "of the type"),
        (b'{"metadataAttributes": {"a": {"value": {"type": "STRING", "stringValue": "x"}, "includeForEmbedding": 1}}}',
         "includeForEmbedding"),
        (b'{"documentStructureConfiguration": {"type": "OTHER"}}', "documentStructureConfiguration"),
        (b'{"accessControlList": []}', "access control list"),
    ],
)  # fmt: skip
def test_a_bad_metadata_file_says_what_is_wrong(data: bytes, message: str) -> None:
    """In words of ours, with the attribute's name and never its value."""
    with pytest.raises(BadMetadata, match=message):
        read_sidecar(data)


def test_an_access_list_in_a_metadata_file() -> None:
    """Without one there is no list, which is another thing than an empty one."""
    assert side(metadataAttributes={}).access is None
    assert side(accessControlList=[ANNA, BEN, ANNA]).access == Access(("anna@example.com",), ("ben@example.com",))


def test_an_access_list_of_a_request() -> None:
    """The members' names are in small letters there."""
    assert access_of([{key.lower(): value for key, value in BEN.items()}]) == Access((), ("ben@example.com",))


@pytest.mark.parametrize("change", [{"Name": ""}, {"Name": 1}, {"Name": None}, {"Type": "GROUP"}, {"Access": "MAYBE"}])
def test_a_list_that_is_not_of_the_form_is_refused_whole(change: dict[str, Any]) -> None:
    """One entry that was passed over could have been a denial."""
    with pytest.raises(BadMetadata, match="access control list"):
        access_of([ANNA, {**BEN, **change}])


def shared(*entries: tuple[str, list[dict[str, str]]]) -> bytes:
    return json.dumps([{"keyPrefix": prefix, "aclEntries": entry} for prefix, entry in entries]).encode()


def test_the_nearest_entry_allows_and_every_one_denies() -> None:
    """A document's own entry goes before its folder's, an inner folder's before an outer one's."""
    carl = {"Name": "carl@example.com", "Type": "USER", "Access": "ALLOW"}
    found = read_global_access(
        shared(("s3://b/hr/", [ANNA, BEN]), ("s3://b/hr/pay/", [carl]), ("s3://b/hr/pay/a.txt", [ANNA]))
    )
    assert found.of("s3://b/hr/x.txt") == Access(("anna@example.com",), ("ben@example.com",))
    assert found.of("s3://b/hr/pay/x.txt") == Access(("carl@example.com",), ("ben@example.com",))
    assert found.of("s3://b/hr/pay/a.txt") == Access(("anna@example.com",), ("ben@example.com",))


def test_a_prefix_is_a_folder_or_a_document() -> None:
    """A name that only begins alike is neither; without an entry nobody may see a document."""
    found = read_global_access(shared(("s3://b/hr", [ANNA])))
    assert found.of("s3://b/hr/x") is not None
    assert found.of("s3://b/hr") is not None
    assert found.of("s3://b/hr2/x") is None
    assert found.of("s3://other/hr/x") is None
    assert read_global_access(shared(("s3://b/", [ANNA]))).of("s3://b/any/thing") is not None


@pytest.mark.parametrize("data", [b"{}", b"nonsense", b'[{"aclEntries": []}]', shared(("hr/", [ANNA])), b"[1]"])
def test_a_bad_global_file_is_refused(data: bytes) -> None:
    """All of it."""
    with pytest.raises(BadMetadata):
        read_global_access(data)
