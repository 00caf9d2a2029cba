"""An upload by a form of a page: its fields take the place of a request's head, its file that of the body.

Owns how fields become the headers of a PutObject and how the answer looks to a browser. What a policy means is
`s3_post`'s, how a form is framed `multipart`'s. Source: "POST Object", S3 API reference.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from craton.aws.access.credentials import ANONYMOUS, Credentials
from craton.aws.wire import s3_faults, s3_post, xml
from craton.aws.wire.multipart import FormReader
from craton.aws.wire.payload import Incoming
from craton.aws.wire.query_answer import text
from craton.aws.wire.restxml_answer import XML, Answer
from craton.aws.wire.s3_auth import UNSIGNED
from craton.aws.wire.s3_post import Range
from craton.front import turn
from craton.front.s3_address import MOST_KEY_BYTES, Address
from craton.front.s3_body import MOST_OBJECT_BYTES, form_checks, pieces
from craton.front.s3_caller import Sender

FORM: Final = b"multipart/form-data"
_AS_HEADERS: Final = frozenset(
    {"cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"}
)
_OF_THE_SIGNATURE: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature"}
)
_FILENAME: Final = "${filename}"


class Form(msgspec.Struct):
    """A form up to its file. `content` is the file; `limits`, set by who verifies it, bounds its size."""

    fields: dict[str, str]
    key: str
    bucket: str
    content: Incoming
    limits: Range | None = None


def is_form(method: str, headers: Mapping[bytes, bytes]) -> bool:
    return method == "POST" and headers.get(b"content-type", b"").lower().startswith(FORM)


async def read(receive: turn.Receive, headers: Mapping[bytes, bytes], address: Address) -> Form:
    """The fields of a form, and its file as it will come; raises Fault."""
    if address.bucket is None or address.key is not None:
        raise s3_faults.fault("MethodNotAllowed", "The specified method is not allowed against this resource.",
                              Method="POST", ResourceType="OBJECT")  # fmt: skip
    reader, body = FormReader(headers[b"content-type"]), pieces(receive)
    first: list[bytes] = []
    while reader.filename is None and not reader.complete:
        piece = await anext(body, None)
        if piece is None:
            raise s3_faults.incomplete_body()
        first += reader.feed(piece)
    if reader.filename is None:
        raise s3_faults.invalid_argument("POST requires exactly one file upload per request.", "file", "0")
    fields = {name: value.replace(_FILENAME, reader.filename) for name, value in reader.fields.items()}
    key = fields.get("key")
    if not key:
        text_of = (
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
        )
        raise s3_faults.invalid_argument(text_of, "key", "")
    size = len(key.encode())
    if size > MOST_KEY_BYTES:
        raise s3_faults.fault("KeyTooLongError", "Your key is too long", Size=size, MaxSizeAllowed=MOST_KEY_BYTES)
    form = Form(fields, key, address.bucket, None)  # type: ignore[arg-type]  # the file wants to know the form's limits
    form.content = Incoming(_file(form, reader, first, body), form_checks(fields))
    return form


async def _file(
    form: Form, reader: FormReader, first: list[bytes], body: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    """The file, held to the size that the policy allows."""
    limits = form.limits or Range(0, MOST_OBJECT_BYTES)
    size = 0
    pending = first
    while True:
        for piece in pending:
            size += len(piece)
            if size > limits.most:
                raise s3_faults.too_large(size, limits.most)
            yield piece
        if reader.complete:
            break
        data = await anext(body, None)
        if data is None:
            raise s3_faults.incomplete_body()
        pending = reader.feed(data)
    if size < limits.least:
        raise s3_faults.fault(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=size,
            MinSizeAllowed=limits.least,
        )


def sender(form: Form, credentials: Credentials, now: datetime, default_region: str) -> Sender:
    """Whose form it is and the headers that its fields stand for; raises Fault for one that breaks its policy."""
    fields = form.fields
    if not s3_post.is_signed(fields):
        return Sender(ANONYMOUS, default_region, headers_of(fields), UNSIGNED)
    signed = s3_post.verify(fields, credentials.secrets.get, now, credentials.session)
    form.limits = s3_post.judge(fields, form.bucket, now)
    key = signed.key
    caller = credentials.owner(key.access_key_id) or credentials.session_owner(key.access_key_id, key.session_token)
    if caller is None:  # the snapshot is one object, so what was just verified is still there
        raise s3_faults.fault("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    return Sender(caller, signed.region or default_region, headers_of(fields), UNSIGNED)


def headers_of(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    """The headers of the PutObject that a form is."""
    found: dict[bytes, bytes] = {}
    for name, value in fields.items():
        if name in _AS_HEADERS or (name.startswith("x-amz-") and name not in _OF_THE_SIGNATURE):
            found[name.encode()] = value.encode()
    if "acl" in fields:
        found[b"x-amz-acl"] = fields["acl"].encode()
    if "tagging" in fields:
        found[b"x-amz-tagging"] = _tagging(fields["tagging"]).encode()
    return found


def _tagging(document: str) -> str:
    """The tags, which a form gives as a document and a header as a query."""
    try:
        root = xml.parse(document.encode())
    except xml.MalformedXml:
        raise s3_faults.malformed_xml() from None
    pairs = []
    for tag_set in root.children:
        for tag in tag_set.children:
            parts = {child.name: child.text for child in tag.children}
            pairs.append((parts.get("Key", ""), parts.get("Value", "")))
    return urlencode(pairs)


def answer(form: Form, stored: Answer, location: str) -> Answer:
    """What the browser is told of what was stored."""
    headers = [row for row in stored.headers if row[0] != b"content-type"]
    etag = next((value.decode() for name, value in headers if name == b"etag"), "")
    target = form.fields.get("success_action_redirect") or form.fields.get("redirect")
    if target:
        told = urlencode({"bucket": form.bucket, "key": form.key, "etag": etag}, quote_via=quote)
        url = f"{quote(target, safe=_IN_URLS)}{'&' if '?' in target else '?'}{told}"
        return Answer(303, [*headers, (b"location", url.encode())], b"")
    headers.append((b"location", location.encode()))
    status = form.fields.get("success_action_status")
    if status == "201":
        document = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>{text(location)}</Location>'
            f"<Bucket>{text(form.bucket)}</Bucket><Key>{text(form.key)}</Key><ETag>{text(etag)}</ETag></PostResponse>"
        )
        return Answer(201, [*headers, XML], document.encode())
    return Answer(200 if status == "200" else 204, headers, b"")


_IN_URLS: Final = "%/:?#[]@!$&'()*+,;=-._~"


def quoted(key: str) -> str:
    """A key as it stands in a URL."""
    return quote(key, safe="/-_.~")
