"""Who may see a document: access lists as they are written in metadata files, in requests, and in a bucket's one file.

Owns their forms and which entry is a document's. Lists come from the customer, so what is not of the form is refused
whole: a list of which a part was passed over could show a document to whom it was denied. Source: the user guide on
document-level access controls for S3 and custom data sources.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.infra.vectors.port import Access

MAX_GLOBAL_BYTES = 50 * 1024 * 1024
_MAX_NAME = 256


class BadMetadata(Exception):
    """A metadata or access file cannot be used; the message is shown as a document's status reason."""


def json_of(data: bytes, what: str) -> Any:
    """The file's JSON. Raises BadMetadata."""
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadMetadata(f"The {what} is not valid JSON.") from None


def access_of(told: Any) -> Access:
    """An access list; its members' names begin with capitals in files and with small letters in requests.

    Raises:
        BadMetadata: it is not of the form.
    """
    if not isinstance(told, list) or not told:
        raise BadMetadata("The access control list is not a list of at least one entry.")
    names: dict[str, list[str]] = {"ALLOW": [], "DENY": []}
    for entry in told:
        name, kind, access = _entry(entry)
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
            raise BadMetadata(f"An entry of the access control list has no Name of 1 to {_MAX_NAME} characters.")
        if kind != "USER":
            raise BadMetadata("An entry of the access control list has another Type than USER.")
        if access not in ("ALLOW", "DENY"):
            raise BadMetadata("An entry of the access control list has another Access than ALLOW or DENY.")
        names[access].append(name)
    return Access(tuple(dict.fromkeys(names["ALLOW"])), tuple(dict.fromkeys(names["DENY"])))


def _entry(entry: Any) -> tuple[Any, Any, Any]:
    if not isinstance(entry, dict):
        raise BadMetadata("An entry of the access control list is not an object.")
    name, kind, access = (entry.get(member, entry.get(member.lower())) for member in ("Name", "Type", "Access"))
    return name, kind, access


class GlobalAccess:
    """A bucket's one file: access lists for folders and single documents, by their S3 URIs."""

    def __init__(self, lists: dict[str, Access]) -> None:
        self._lists = lists

    def of(self, uri: str) -> Access | None:
        """The document's list, or None if no entry is for it: then nobody may see it.

        Allowed is whom the nearest entry allows (the document's own before its folder's, an inner folder's before an
        outer one's); denied is whom any of them denies.
        """
        found = [self._lists[prefix] for prefix in _prefixes(uri) if prefix in self._lists]
        if not found:
            return None
        return Access(found[0].allowed, tuple(dict.fromkeys(name for one in found for name in one.denied)))


def _prefixes(uri: str) -> list[str]:
    """The URI itself and the folders around it, from the innermost; each without a slash at its end."""
    place, found = len(uri), [uri]
    lowest = len("s3://")
    while (place := uri.rfind("/", lowest, place)) > 0:
        found.append(uri[:place])
    return found


def read_global_access(data: bytes) -> GlobalAccess:
    """Raises BadMetadata: the file is too large or not of its form."""
    if len(data) > MAX_GLOBAL_BYTES:
        raise BadMetadata("The global access control file is larger than 50 MB.")
    found = json_of(data, "global access control file")
    if not isinstance(found, list):
        raise BadMetadata("The global access control file is not a JSON array.")
    lists: dict[str, Access] = {}
    for entry in found:
        prefix = entry.get("keyPrefix") if isinstance(entry, dict) else None
        if not isinstance(prefix, str) or not prefix.startswith("s3://"):
            raise BadMetadata("An entry of the global access control file has no keyPrefix that is an S3 URI.")
        access = access_of(entry.get("aclEntries"))
        place = prefix.removesuffix("/")
        before = lists.get(place, Access())
        lists[place] = Access(before.allowed + access.allowed, before.denied + access.denied)
    return GlobalAccess(lists)
