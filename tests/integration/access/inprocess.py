"""A worker in this process whose keys and policies a test chooses, and boto3 clients that reach it without a socket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import msgspec
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials as Keys

from craton.aws.access.authority import Authority
from craton.aws.access.credentials import AccessKey, BearerKey, Credentials, Principal, Session, root_principal
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.aws.access.organization import Organization
from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.features.inference.routing.profiles import StoredProfile
from craton.infra.control.wire import ControlLost
from craton.models.catalog.local import boxed_models
from craton.working import Worker

ACCOUNT, REGION, HOST = "000000000000", "us-east-1", "127.0.0.1:8765"
ROOT_KEY, USER_KEY, SESSION_KEY = "AKIAROOTROOTROOTROOT", "AKIABOBBOBBOBBOBBOBB", "ASIASESSIONSESSION00"
SECRET = "secret-of-everybody-in-these-tests"
TOKEN = "session-token"
LONG_TERM = "ABSK" + base64.b64encode(b"bob-at-000000000000:" + b"r" * 32).decode()
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/artists"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/artists/monday"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


class NoSupervisor:
    """A worker's line to a supervisor that is not there."""

    async def call(self, method: str, params: Mapping[str, object] | None = None, **_: Any) -> Any:
        raise ControlLost(method)


def allow(action: Any, resource: Any = "*", effect: str = "Allow", **others: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **others}


def text(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def unauthorized(self) -> bool:
        """Whether a policy, or the lack of one, was the reason."""
        return self.status == 403 and b"is not authorized to perform" in self.body


class Raw:
    """An answer's body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.body

    def read(self, *_: Any) -> bytes:
        body, self.body = self.body, b""
        return body


class Scene:
    """A worker, its root user, the user bob, and a session of the role artists."""

    def __init__(self, home: Path, config: Mapping[str, Any] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        settings = Settings(home=str(home), file=msgspec.convert(dict(config or {}), ConfigFile))
        self.worker = Worker(settings, NoSupervisor())  # type: ignore[arg-type]
        self.worker.routes = self.worker.compiler.routes(boxed_models())
        self.live = self.worker.live
        self.session = Principal(
            account=ACCOUNT, arn=SESSION, kind="assumed-role", user_id="AROAEXAMPLE:monday", access_key_id=SESSION_KEY,
            role_arn=ROLE, issued_at=datetime.now(UTC),
        )  # fmt: skip
        self.stand()
        self.grant()

    def stand(self, profiles: Iterable[StoredProfile] = ()) -> None:
        """The keys of everybody, and the profiles of the account."""
        bob = Principal(account=ACCOUNT, arn=BOB, kind="user", user_id="AIDAEXAMPLE", name="bob")
        soon = datetime.now(UTC) + timedelta(hours=1)
        session = Session(SESSION_KEY, SECRET, self.session, "AROAEXAMPLE", soon)
        self.live.credentials = Credentials.of(
            [
                AccessKey.of(ROOT_KEY, SECRET, root_principal(ACCOUNT, ROOT_KEY)),
                AccessKey.of(USER_KEY, SECRET, msgspec.structs.replace(bob, access_key_id=USER_KEY)),
            ],
            [BearerKey(hashlib.sha256(LONG_TERM.encode()).digest(), "ACCAEXAMPLE", bob)],
            {"AROAEXAMPLE": ROLE},
            lambda token: session if token == TOKEN else None,
        )
        self.live.routes = self.worker.routes.owning(profiles, ())

    def grant(
        self,
        *statements: Mapping[str, Any],
        boundary: Mapping[str, Any] | None = None,
        organization: Organization | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """These statements for bob and for the role; nothing else for anybody."""
        texts = [PolicyText("p1", "granted", text(*statements))] if statements else []
        texts += [PolicyText("b1", "bounded", text(boundary))] if boundary is not None else []
        ids = ("p1",) if statements else ()
        bound = "b1" if boundary is not None else None
        people = (
            Identity(BOB, ACCOUNT, "user", ids, bound, tags or {}),
            Identity(ROLE, ACCOUNT, "role", ids, bound, tags or {}),
        )
        guards = organization or self.worker.organization
        self.live.authority = Authority(Identities.of(texts, people), guards, self.live.authority)

    # --- asking ---

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", peer: str = "127.0.0.1"
    ) -> Answer:
        """One request, as the server hands it to the application."""
        return asyncio.run(self.sent(method, path, headers, body, peer))

    async def sent(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", peer: str = "127.0.0.1"
    ) -> Answer:
        """The same in a loop that runs."""
        raw, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": unquote(raw), "raw_path": raw.encode(),
            "query_string": query.encode(), "client": (peer, 3), "scheme": "http",
            "headers": {name.lower().encode(): value.encode("latin-1") for name, value in headers.items()},
        }  # fmt: skip
        answer = Answer(0)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            answer.body += message.get("body", b"")

        await self.worker(scope, receive, send)
        return answer

    def signed(
        self, method: str, path: str, body: bytes = b"", key: str = USER_KEY, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A signed request."""
        return self.send(method, path, sign(method, path, body, key, headers), body)

    def ask(self, method: str, path: str, body: object, how: str = "access key") -> Answer:
        """A request of bob's (or of the session) with this kind of proof; see `PROOFS`."""
        data = json.dumps(body).encode() if body is not None else b""
        return self.send(method, path, proof(how, method, path, data), data)

    def client(self, service: str, how: str = "access key") -> Any:
        """An ordinary boto3 client whose requests come here, with this kind of proof."""
        made = boto3.client(
            service, endpoint_url=f"http://{HOST}", region_name=REGION, aws_access_key_id="AKIANOBODY",
            aws_secret_access_key="nothing", config=Config(retries={"max_attempts": 0}),
        )  # fmt: skip

        def answer(request: Any, **_: Any) -> AWSResponse:
            parts = urlsplit(request.url)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            body = request.body or b""
            body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
            kept = {name: _text(value) for name, value in request.headers.items() if name.lower() not in _SIGNED}
            got = self.send(request.method, path, proof(how, request.method, path, body, kept), body)
            return AWSResponse(request.url, got.status, got.headers, Raw(got.body))

        made.meta.events.register("before-send.*.*", answer)
        return made


_SIGNED = {"authorization", "x-amz-date", "x-amz-security-token", "host", "x-amz-content-sha256"}
PROOFS = ("access key", "session", "long-term key", "short-term key")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def proof(how: str, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of a request that comes with an access key, a session's, or a Bedrock API key of either kind."""
    if how == "long-term key":
        return {**(headers or {}), "host": HOST, "authorization": f"Bearer {LONG_TERM}"}
    if how == "short-term key":
        return {**(headers or {}), "host": HOST, "authorization": f"Bearer {short_term()}"}
    key = {"access key": USER_KEY, "session": SESSION_KEY, "root": ROOT_KEY}[how]
    return sign(method, path, body, key, headers)


def sign(method: str, path: str, body: bytes, key: str, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers with botocore's signature."""
    request = AWSRequest(method, f"http://{HOST}{path}", headers={"host": HOST, **(headers or {})}, data=body)
    SigV4Auth(Keys(key, SECRET, TOKEN if key == SESSION_KEY else None), "bedrock", REGION).add_auth(request)
    return {name: _text(value) for name, value in request.headers.items()}


def short_term(key: str = USER_KEY) -> str:
    """A short-term Bedrock API key, as AWS's generator makes it."""
    request = AWSRequest(
        "POST", "https://bedrock.amazonaws.com/", headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )  # fmt: skip
    SigV4QueryAuth(Keys(key, SECRET), "bedrock", REGION, expires=43_200).add_auth(request)
    url = str(request.url).removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()
