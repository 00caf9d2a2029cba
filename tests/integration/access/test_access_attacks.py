"""Attempts to be judged as somebody else, or on something else, than what one is and asks for."""

from __future__ import annotations

import asyncio
import gc
import hmac
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.access.inprocess import (
    ACCOUNT,
    HOST,
    LONG_TERM,
    REGION,
    ROOT_KEY,
    SECRET,
    SESSION_KEY,
    TOKEN,
    USER_KEY,
    Answer,
    Scene,
    allow,
    proof,
    short_term,
    sign,
)

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
PATH = f"/model/{HAIKU.replace(':', '%3A')}/converse"
BODY = b'{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}'
INVOKE = "bedrock:InvokeModel"
TITAN = "amazon.titan-text-express-v1"
DENIED = f"arn:aws:bedrock:*::foundation-model/{HAIKU}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("home"))


def answered(answer: Answer) -> bool:
    """Whether a model was asked (there is no supervisor here that could start one) or would have been."""
    return answer.status in (200, 429, 503)


@pytest.mark.parametrize(
    "name",
    [
        HAIKU.replace(".", "%2E"),
        HAIKU.replace("a", "%61"),
        f"{TITAN}%2F..%2F{HAIKU}",
        f"..%2Fmodel%2F{HAIKU}",
        f"{HAIKU}%00",
        f"{HAIKU}%2F",
        f"%20{HAIKU}",
        HAIKU.upper(),
        HAIKU.replace("i", "%C4%B1"),
        HAIKU.replace(".", "%EF%BC%8E", 1),
        f"arn:aws:bedrock:::foundation-model%2F{HAIKU}",
        f"arn:aws-cn:bedrock:{REGION}::foundation-model%2F{HAIKU}",
        f"arn:AWS:bedrock:{REGION}::foundation-model%2F{HAIKU}",
        f"arn:aws:bedrock:{REGION}::foundation-model%2F..%2Ffoundation-model%2F{HAIKU}",
        f"arn:aws:bedrock:{REGION}:{ACCOUNT}:foundation-model%2F{HAIKU}",
    ],
)
def test_no_spelling_reaches_a_denied_model(scene: Scene, name: str) -> None:
    """However a model's name is written: what is asked is what was judged, or nothing is."""
    scene.grant(allow(INVOKE), allow(INVOKE, DENIED, "Deny"))
    for path in (f"/model/{name}/converse", f"/model/{name}/invoke"):
        answer = scene.signed("POST", path.replace(":", "%3A"), BODY)
        assert not answered(answer), answer


@pytest.mark.parametrize("path", [f"//model/{HAIKU}/converse", f"/model//{HAIKU}/converse", f"/model/./{HAIKU}/converse",
                                  f"/x/../model/{HAIKU}/converse", f"/model/{TITAN}/../{HAIKU}/converse",
                                  f"/model/{HAIKU}/converse/", f"/model/{HAIKU}/converse;x=1",
                                  f"/model/{HAIKU}/%63onverse", f"/MODEL/{HAIKU}/converse"])  # fmt: skip
def test_no_path_slips_past(scene: Scene, path: str) -> None:
    """Dots, double slashes and other spellings of a path lead nowhere, or to the same judgement."""
    scene.grant(allow(INVOKE, f"arn:aws:bedrock:*::foundation-model/{TITAN}"))
    answer = scene.signed("POST", path.replace(":", "%3A"), BODY)
    assert answer.status in (400, 403, 404), answer


def test_a_routers_partition_does_not_rename_it(scene: Scene) -> None:
    """A default router has one name to be judged by, whatever partition the caller writes."""
    router = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:default-prompt-router/anthropic.claude:1"
    scene.grant(allow(INVOKE), allow(INVOKE, router, "Deny"))
    for name in (router, router.replace("arn:aws:", "arn:aws-us-gov:")):
        path = f"/model/{name.replace(':', '%3A').replace('/', '%2F')}/converse"
        assert scene.signed("POST", path, BODY).unauthorized


def test_replayed_for_something_else(scene: Scene) -> None:
    """A signature fits one method, path, query and body."""
    scene.grant(allow("*"))
    headers = sign("POST", PATH, BODY, USER_KEY)
    assert answered(scene.send("POST", PATH, headers, BODY))
    for method, path, body in (
        ("GET", PATH, BODY),
        ("POST", PATH.replace("haiku", "opus"), BODY),
        ("POST", PATH + "?a=b", BODY),
        ("POST", PATH, BODY.replace(b"Hello", b"hullo")),
    ):
        answer = scene.send(method, path, headers, body)
        assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-16, -6, 6, 60 * 24])
def test_stale_signatures(scene: Scene, minutes: int) -> None:
    """A signature of another time is refused, whatever its caller may."""
    scene.grant(allow("*"))
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    request = AWSRequest("POST", f"http://{HOST}{PATH}", headers={"host": HOST}, data=BODY)
    signer = SigV4Auth(Keys(USER_KEY, SECRET), "bedrock", REGION)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    text = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, text), request)
    signer._inject_signature_to_request(request, signature)
    answer = scene.send("POST", PATH, {name: str(value) for name, value in request.headers.items()}, BODY)
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"


@pytest.mark.parametrize(
    "smuggled",
    [
        {"X-Amz-Security-Token": TOKEN},
        {"X-Forwarded-User": "root"},
        {"X-Amzn-Principal": f"arn:aws:iam::{ACCOUNT}:root"},
        {"X-Amz-Access-Key-Id": ROOT_KEY},
        {"X-Api-Key": LONG_TERM},
        {"X-Forwarded-For": "192.0.2.9"},
        {"X-Original-Url": "/health"},
        {"X-Http-Method-Override": "GET"},
    ],
)
def test_headers_that_nobody_signed(scene: Scene, smuggled: dict[str, str]) -> None:
    """No header beside the signature makes its caller somebody else, or its address another."""
    inside = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    scene.grant(allow(INVOKE, Condition=inside), allow("bedrock:CallWithBearerToken"))
    answer = scene.send("POST", PATH, {**sign("POST", PATH, BODY, USER_KEY), **smuggled}, BODY)
    assert answer.status == 403
    assert scene.send("POST", PATH, sign("POST", PATH, BODY, USER_KEY), BODY, peer="192.0.2.1").status in (429, 503)


def test_two_proofs_at_once(scene: Scene) -> None:
    """A signature in the header and another's API key in the query, or the other way, is judged as one of them only."""
    scene.grant()
    headers = sign("POST", PATH, BODY, USER_KEY)
    assert scene.send("POST", PATH, {**headers, "x-api-key": short_term(ROOT_KEY)}, BODY).unauthorized
    chat = b'{"model":"%b","messages":[{"role":"user","content":"Hi"}]}' % HAIKU.encode()
    path = "/v1/chat/completions"
    mixed = {**proof("short-term key", "POST", path, chat), "x-api-key": short_term(ROOT_KEY)}
    assert scene.send("POST", path, mixed, chat).status == 403


def test_a_session_without_its_token(scene: Scene) -> None:
    """A session's key needs its own token: none, another's or a root key's with it are refused."""
    scene.grant(allow("*"))
    whole = sign("POST", PATH, BODY, SESSION_KEY)
    assert answered(scene.send("POST", PATH, whole, BODY))
    bare = {name: value for name, value in whole.items() if name.lower() != "x-amz-security-token"}
    assert scene.send("POST", PATH, bare, BODY).status == 403
    assert scene.send("POST", PATH, {**whole, "X-Amz-Security-Token": TOKEN + "x"}, BODY).status == 403


def test_no_secret_in_a_refusal(scene: Scene) -> None:
    """What a refused caller is told holds no secret, no token and no prompt."""
    scene.grant()
    for how in ("access key", "session", "long-term key", "short-term key"):
        told = scene.send("POST", PATH, proof(how, "POST", PATH, BODY), BODY).body.decode()
        assert not [one for one in (SECRET, TOKEN, LONG_TERM, "Hello") if one in told]


def test_junk_keys_leave_nothing_behind(scene: Scene) -> None:
    """Any number of keys that nobody has leaves memory as it was (a million, by the hour, scaled down)."""
    scene.grant()

    def junk(number: int) -> dict[str, str]:
        return {
            0: sign("POST", PATH, BODY, f"AKIA{number:016d}"),
            1: {"host": HOST, "authorization": f"Bearer ABSK{number:060d}"},
            2: {"host": HOST, "x-api-key": f"key-{number}"},
            3: {**sign("POST", PATH, BODY, f"ASIA{number:016d}"), "x-amz-security-token": f"token-{number}" * 20},
        }[number % 4]

    async def send(start: int) -> None:
        for number in range(start, start + 1500):
            path = PATH if number % 4 != 2 else "/v1/models"
            answer = await scene.sent("POST", path, junk(number), BODY)
            assert answer.status in (401, 403, 405)

    tracemalloc.start()
    sizes = []
    for start in (0, 10_000, 20_000):  # the first fills what is bounded
        asyncio.run(send(start))
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    grown = sizes[2] - sizes[1]
    assert grown < 100_000, grown


WORDS: Any = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["AWS4-HMAC-SHA256 ", "Credential=", f"{USER_KEY}/", "SignedHeaders=host;x-amz-date", "Signature=",
                     f"20260101/{REGION}/bedrock/aws4_request", ", ", "Bearer ", "ABSK", "bedrock-api-key-", "=", "%",
                     "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "\x00", "é"]),
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    authorization=st.lists(WORDS, max_size=8).map("".join),
    date=st.one_of(st.text(max_size=20), st.just("20260101T000000Z")),
    token=st.none() | st.text(max_size=40),
    query=st.lists(WORDS, max_size=5).map("".join),
)
def test_any_signature_is_read_or_refused(
    scene: Scene, authorization: str, date: str, token: str | None, query: str
) -> None:
    """Whatever stands where a signature should: a refusal of the layer before the service, and nothing else."""
    headers = {"host": HOST, "authorization": authorization, "x-amz-date": date}
    if token is not None:
        headers["x-amz-security-token"] = token
    plain = {name: value.encode("latin-1", "ignore").decode("latin-1") for name, value in headers.items()}
    answer = scene.send("POST", PATH + "?" + query.encode("ascii", "ignore").decode(), plain, BODY)
    assert answer.status in (400, 403), answer
    assert answer.headers["x-amzn-errortype"].removesuffix("Exception")


def test_keys_are_compared_in_constant_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature, a session token and an API key are each compared by hmac.compare_digest, right or wrong."""
    asked: list[bytes] = []
    genuine = hmac.compare_digest

    def compare(left: bytes, right: bytes) -> bool:
        asked.append(right)
        return genuine(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    signed = sign("POST", PATH, BODY, USER_KEY)
    session = sign("POST", PATH, BODY, SESSION_KEY)
    for headers in (signed, {**signed, "Authorization": signed["Authorization"][:-2] + "00"}):
        asked.clear()
        scene.send("POST", PATH, headers, BODY)
        assert headers["Authorization"][-64:].encode() in asked
    for headers in (proof("long-term key", "POST", PATH, BODY), session):
        asked.clear()
        scene.send("POST", PATH, headers, BODY)
        assert asked
