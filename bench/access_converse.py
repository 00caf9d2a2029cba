"""What access costs a Converse: root beside a user of 20 policies of 20 statements, CPU microseconds per request.

Owns the two callers and the clock. The whole worker runs in this process (signature, decoding, judgement, translation,
encoding); only the two sockets are left out, because what they cost is the same for both. The callers take turns, and
the median of the paired differences is what counts: machines drift.

    python -m bench.access_converse [--rounds 60]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.access import MODEL as ARN
from bench.access import POLICIES, STATEMENTS, usual
from craton.aws.access.authority import Authority
from craton.aws.access.credentials import AccessKey, Credentials, Principal, root_principal
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.aws.wire.sign import Keys, Signer
from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.infra.control.wire import ControlLost
from craton.models.providers import http
from craton.models.providers.transport import Whole
from craton.working import Worker

ACCOUNT, HOST, CALLS, SECRET = "000000000000", "127.0.0.1:8765", 100, "secret"
ROOT, USER = "AKIAROOT", "AKIAUSER"
ID = "anthropic.claude-3-haiku-20240307-v1:0"
PATH = f"/model/{ID.replace(':', '%3A')}/converse"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "The quick brown fox. " * 20}]}]}).encode()
ANSWER = json.dumps(
    {
        "id": "1", "object": "chat.completion", "created": 1, "model": "u",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes. " * 80}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 80, "total_tokens": 170},
    }
).encode()  # fmt: skip


class Nobody:
    """A line to a supervisor that is not there."""

    async def call(self, method: str, *_: object, **__: object) -> Any:
        raise ControlLost(method)


async def upstream(self: object, *args: object, **kwargs: object) -> Whole:
    """An upstream that answers at once."""
    return Whole(200, {b"content-type": b"application/json"}, ANSWER)


def worker(home: str) -> Worker:
    """A worker with one model, a root user and a user of 400 statements, two of which decide."""
    target = {"provider": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "u"}
    file = msgspec.convert({"model": [{"id": ID, "target": [target]}]}, ConfigFile)
    made = Worker(Settings(home=home, file=file), Nobody())  # type: ignore[arg-type]
    written = [usual(number) for number in range(POLICIES * STATEMENTS)]
    grant = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    model = ARN.replace("anthropic.claude-v2", ID)
    written[217] = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": model, "Condition": grant}
    pages = [written[at : at + STATEMENTS] for at in range(0, len(written), STATEMENTS)]
    texts = [
        PolicyText(str(at), str(at), json.dumps({"Version": "2012-10-17", "Statement": page}))
        for at, page in enumerate(pages)
    ]
    arn = f"arn:aws:iam::{ACCOUNT}:user/u"
    bob = Principal(account=ACCOUNT, arn=arn, kind="user", user_id="AIDA", name="u", access_key_id=USER)
    keys = [AccessKey.of(ROOT, SECRET, root_principal(ACCOUNT, ROOT)), AccessKey.of(USER, SECRET, bob)]
    made.live.credentials = Credentials.of(keys)
    made.live.authority = Authority(
        Identities.of(texts, (Identity(arn, ACCOUNT, "user", tuple(text.id for text in texts)),))
    )
    made.live.routes = made.compiler.routes(())
    return made


def scope(key: str) -> dict[str, Any]:
    """A signed request as the server hands it over."""
    signer = Signer(Keys(key, SECRET), service="bedrock", region="us-east-1", authority=HOST.encode())
    signed = signer.sign(b"POST", PATH.encode(), BODY, datetime.now(UTC))
    headers = {b"host": HOST.encode(), b"content-length": str(len(BODY)).encode(), **dict(signed)}
    return {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http",
    }  # fmt: skip


async def cost(app: Worker, asked: dict[str, Any]) -> float:
    """CPU microseconds of one request, over `CALLS` of them."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    began = time.process_time()
    for _ in range(CALLS):
        await app(asked, receive, send)
    spent = (time.process_time() - began) / CALLS * 1e6
    if any(message.get("status", 200) != 200 for message in sent):
        raise AssertionError(sent[:2])
    return spent


async def measure(rounds: int) -> None:
    http.Pool.fetch = upstream  # type: ignore[assignment, method-assign]
    with tempfile.TemporaryDirectory() as home:
        app, root, user = worker(home), scope(ROOT), scope(USER)
        await cost(app, root), await cost(app, user)
        pairs = [(await cost(app, root), await cost(app, user)) for _ in range(rounds)]
    roots, users = zip(*pairs, strict=True)
    more = [one - other for other, one in pairs]
    print("| Converse, in one process | median µs | best µs |\n|---|---|---|")
    print(f"| root | {statistics.median(roots):.1f} | {min(roots):.1f} |")
    print(f"| user with 20 policies × 20 statements | {statistics.median(users):.1f} | {min(users):.1f} |")
    print(f"| more for the user | {statistics.median(more):.1f} | {min(users) - min(roots):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    asyncio.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
