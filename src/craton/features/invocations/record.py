"""From an entry of the spool to a record in Bedrock's schema `ModelInvocationLog` 1.0.

Owns the members of a record and their order. Bodies are kept apart until a sink says whether they are small enough to
stand in it. Pure. It must not know where records go. Source: user guide, "Model invocation logging", and records that
users have shown: a failed call has `errorCode` and no output; data that is switched off leaves its counts behind.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec

from craton.features.invocations import bodies, media
from craton.features.invocations.entry import Entry
from craton.features.invocations.terms import Terms

LARGE_BYTES = 100 * 1024
_JSON = "application/json"
_STREAMED = {"Converse": "ConverseStream", "InvokeModel": "InvokeModelWithResponseStream"}


class _Known(msgspec.Struct):
    """What is read of a request's body."""

    model: str = ""
    requestMetadata: dict[str, str] | None = None  # noqa: N815 - the API's name


_known = msgspec.json.Decoder(_Known)
_metadata = msgspec.json.Decoder(dict[str, str])


class Side(msgspec.Struct):
    """Input or output. `json` on one line, else `raw` for what is no JSON; neither where nothing is to be shown."""

    content_type: str
    json: bytes | None = None
    raw: bytes | None = None
    counts: dict[str, int] = {}

    @property
    def apart(self) -> bool:
        """Whether the body goes into an object of its own."""
        return self.raw is not None or (self.json is not None and len(self.json) > LARGE_BYTES)

    @property
    def data(self) -> bytes:
        """The body of that object."""
        return self.raw if self.raw is not None else self.json or b""


class Record(msgspec.Struct):
    """`head`: the members beside input and output. `output` is None for a call that failed."""

    at: datetime
    request_id: str
    head: dict[str, object]
    input: Side
    output: Side | None


def compose(entry: Entry, account: str, region: str, terms: Terms) -> Record:
    """The record of an entry that was made in this account and region under these terms."""
    at = datetime.fromtimestamp(entry.at, UTC)
    answer = bodies.answer(entry.answer)
    error = entry.error or answer.error
    shown = media.wants(terms, entry.kind)
    known = read(entry.body)
    head: dict[str, object] = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "accountId": account,
        "identity": {"arn": entry.identity},
        "region": region,
        "requestId": entry.request_id,
        "operation": _STREAMED.get(entry.operation, entry.operation) if answer.streamed else entry.operation,
        "modelId": model_id(entry) or known.model,
    }
    if error:
        head["errorCode"] = error
    if entry.profiled:
        head["inferenceRegion"] = region
    metadata = known.requestMetadata or header_metadata(entry.metadata)
    if metadata:
        head["requestMetadata"] = metadata
    if entry.door:
        head["door"] = entry.door
    given = Side(entry.content_type.decode("latin-1") or _JSON, counts=counts_in(entry))
    if shown:
        hold(given, entry.body, bodies.one_line(entry.body), terms)
    if entry.error:
        return Record(at, entry.request_id, head, given, None)
    made = Side(_JSON, counts=counts_out(entry))
    if shown:
        hold(made, entry.answer, answer.json, terms)
    return Record(at, entry.request_id, head, given, made)


def hold(side: Side, raw: bytes, json: bytes | None, terms: Terms) -> None:
    """Put a body into its side."""
    if json is not None:
        side.json = media.without_media(terms, json)
    elif raw:
        side.raw = raw


def model_id(entry: Entry) -> str:
    """The id or ARN in the path `/model/ID/…`; "" at a door, where the body names it."""
    parts = entry.path.split(b"/", 3)
    return unquote(parts[2].decode("latin-1")) if not entry.door and len(parts) > 3 and parts[1] == b"model" else ""


def read(body: bytes) -> _Known:
    """What a body says of itself; of one that cannot be read, nothing."""
    try:
        return _known.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Known()


def header_metadata(text: bytes) -> dict[str, str]:
    try:
        return _metadata.decode(text) if text else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def counts_in(entry: Entry) -> dict[str, int]:
    if entry.counts is None:
        return {}
    names = ("inputTokenCount", None, "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
    return {name: count for name, count in zip(names, entry.counts, strict=True) if name and count is not None}


def counts_out(entry: Entry) -> dict[str, int]:
    known = entry.counts is not None and entry.counts[1] is not None
    return {"outputTokenCount": entry.counts[1] or 0} if known and entry.counts is not None else {}


def line(record: Record, large: Paths) -> bytes:
    """The record as one line of JSON. `large` says where bodies lie that do not stand in it."""
    members = dict(record.head)
    members["input"] = side(record.input, "input", large.get("input"))
    members["output"] = side(record.output, "output", large.get("output")) if record.output is not None else {}
    return msgspec.json.encode(members)


Paths = dict[str, str]
"""By side: the `s3://` path of a body that lies apart."""


def side(found: Side, name: str, path: str | None) -> dict[str, object]:
    shown: dict[str, object] = {f"{name}ContentType": found.content_type}
    if path is not None:
        shown[f"{name}BodyS3Path"] = path
    elif found.json is not None and not found.apart:
        shown[f"{name}BodyJson"] = msgspec.Raw(found.json)
    return {**shown, **found.counts}
