"""An asynchronous invocation as a row of the store: its kind, its states, its body, and where its results lie.

Owns what the operations and the workflow both know of it. It must not know S3's API, HTTP or how a run is journaled.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from craton.aws.access.actions import arn_of
from craton.aws.access.credentials import Principal
from craton.infra.store.port import Resource

KIND = "async-invoke"
SHOWN = "asynchronous invocation"
IN_PROGRESS, COMPLETED, FAILED = "InProgress", "Completed", "Failed"
INPUT = "input"
"""The step of the run that holds the model's input, sealed; it goes with the run's other steps."""
MAX_MESSAGE = 2048

Task = Literal["film", "reply", "segments", "relay"]
"""What is done: a film is made, the model is asked as InvokeModel asks it, a text is embedded piece by piece, or all is
left to another Bedrock."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in S3 the results go: `uri` as it was given, the bucket's expected owner, and the key that seals them."""

    uri: str
    owner: str | None = None
    kms_key: str | None = None

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    def folder(self, ident: str) -> str:
        """The key before the names of an invocation's files, with its slash."""
        prefix = self.uri.removeprefix("s3://").partition("/")[2]
        return f"{prefix}{'' if not prefix or prefix.endswith('/') else '/'}{ident}/"

    def result_uri(self, ident: str) -> str:
        """The folder as Bedrock shows it: readers put a slash and a file's name behind it."""
        return f"s3://{self.bucket}/{self.folder(ident)}".rstrip("/")


class AsyncInvocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a row. Times are aware UTC.

    `called` is the id under which the gateway is asked, `schema` the native schema of the input. `caller` is who
    started it: with their rights the model is asked and S3 is used.
    """

    model_id: str
    model_arn: str
    called: str
    schema: str
    task: Task
    target: Place
    caller: Principal
    token: str | None = None
    tags: dict[str, str] = {}
    message: str | None = None
    ended_at: datetime | None = None


def invocation_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def ended(row: Resource, status: str, now: datetime, message: str | None = None) -> Resource:
    """The row of an invocation that is over, for good: one that has ended already stays as it is."""
    if row.status != IN_PROGRESS:
        return row
    told = message[:MAX_MESSAGE] if message else None
    body = msgspec.structs.replace(row.read(AsyncInvocation), ended_at=now, message=told)
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))
