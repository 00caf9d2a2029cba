"""The keys by which a table of the config file names a place for files: a folder, or a prefix of an S3 bucket.

Owns names and what must stand together. Reading is `config`'s; must not know what is kept there.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

_REFERENCES = ("env:", "file:")
_OF_S3 = ("endpoint_url", "region", "access_key", "secret_key", "session_token")


class PlaceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`url`: `file:///FOLDER` or `s3://BUCKET/PREFIX`, "" for a folder in the home; the rest belongs to S3.

    Keys are `env:NAME` or `file:PATH`; without them those of the environment hold (AWS_ACCESS_KEY_ID and so on, or the
    machine's role).
    """

    url: str = ""
    endpoint_url: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""


def fault_of(table: PlaceTable) -> str | None:
    """What is wrong with a place, as a sentence that wants the table's name before it."""
    url = urlsplit(table.url)
    given = [name for name in _OF_S3 if getattr(table, name)]
    if table.url and not (url.scheme == "file" and not url.netloc and url.path.startswith("/") and len(url.path) > 1):
        if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
            return "url is neither file:///FOLDER nor s3://BUCKET/PREFIX"
    elif given:
        return f"{given[0]} belongs to a url of S3"
    for name in ("access_key", "secret_key", "session_token"):
        if getattr(table, name) and not getattr(table, name).startswith(_REFERENCES):
            return f"{name} must name where it lies, as env:NAME or file:PATH"
    if bool(table.access_key) != bool(table.secret_key):
        return "access_key and secret_key belong together"
    if table.endpoint_url and not table.endpoint_url.startswith(("https://", "http://")):
        return "endpoint_url must begin with http:// or https://"
    return None
