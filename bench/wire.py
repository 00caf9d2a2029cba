"""What the wire layer costs: python bench/wire.py. CPU µs per call (best of five), on demand only."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.aws.wire import compile as compiling
from craton.aws.wire import eventstream, model, restjson, route, sigv4

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
PATH = b"/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"
LABELS = {"modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0"}
TURN = [{"role": "user", "content": [{"text": "x" * 120}]}, {"role": "assistant", "content": [{"text": "y" * 120}]}]
CONVERSE = {
    "messages": [*TURN, TURN[0]],
    "system": [{"text": "You answer in one sentence."}],
    "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9},
}
REPLY = {
    "output": {"message": {"role": "assistant", "content": [{"text": "z" * 300}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 100, "outputTokens": 60, "totalTokens": 160},
    "metrics": {"latencyMs": 311},
}


class Delta(msgspec.Struct, rename="camel"):
    content_block_index: int
    delta: dict[str, str]
    p: str


def measure(call: Callable[[], object], seconds: float = 0.15) -> float:
    """Return CPU seconds per call, the best of five rounds."""
    rounds, best = 1, float("inf")
    while True:
        started = time.process_time()
        for _ in range(rounds):
            call()
        if time.process_time() - started > seconds / 10:
            break
        rounds *= 4
    for _ in range(5):
        started = time.process_time()
        for _ in range(rounds):
            call()
        best = min(best, (time.process_time() - started) / rounds)
    return best


def signed(body: bytes) -> sigv4.SignedRequest:
    request = AWSRequest("POST", f"http://127.0.0.1:8765{PATH.decode()}", {"content-type": "application/json"}, body)
    SigV4Auth(Credentials("AKIA", "secret"), "bedrock", "us-east-1").add_auth(request)
    pairs = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    return sigv4.SignedRequest("POST", PATH, b"", [*pairs, (b"host", b"127.0.0.1:8765")], body)


def compile_all() -> int:
    """Compile every input and output, decoders included, as a first request would."""
    count = 0
    for name in SERVICES:
        service = model.load(name)
        types = compiling.Types(service)
        for operation in service.operations.values():
            for kind in (types.request(operation), types.response(operation)):
                msgspec.json.Decoder(kind, dec_hook=compiling.from_wire)
                count += 1
    return count


def once(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def main() -> None:
    started = time.process_time()
    services = {name: model.load(name) for name in SERVICES}
    print(f"load the models of four services                     {(time.process_time() - started) * 1e3:9.1f} ms")
    print(f"compile all inputs and outputs (480 types)           {once(compile_all) * 1e3:9.1f} ms")
    router, codec = route.Router(services.values()), restjson.RestJson()
    operation = services["bedrock-runtime"].operations["Converse"]
    binding = codec.bind(operation)
    body = json.dumps(CONVERSE).encode()
    large = signed(b"x" * 9000)
    verifier, now = sigv4.Verifier({"bedrock"}), datetime.now(UTC)
    secret = sigv4.Secret("secret")
    delta, encode = Delta(0, {"text": " world"}, "abcdef"), msgspec.json.Encoder().encode
    frame = eventstream.encode_event("contentBlockDelta", encode(delta))
    decoder = eventstream.Decoder()
    rows: list[tuple[str, Callable[[], object]]] = [
        ("route POST /model/{id}/converse", lambda: router.match("POST", PATH)),
        (f"decode and validate Converse, {len(body)} bytes", lambda: binding.decode(LABELS, b"", (), body)),
        ("  of which an untyped parse would take", lambda: msgspec.json.decode(body)),
        ("encode a Converse reply given as a dict", lambda: codec.encode_response(operation, REPLY)),
        ("verify SigV4, 9 KB body, kept signing key", lambda: verifier.verify(large, lambda _: secret, now)),
        ("  of which the hash of the body", lambda: hashlib.sha256(large.body).hexdigest()),
        ("one delta: JSON and frame", lambda: eventstream.encode_event("contentBlockDelta", encode(delta))),
        ("read one frame", lambda: decoder.feed(frame)),
    ]
    for name, call in rows:
        print(f"{name:52} {measure(call) * 1e6:9.2f} µs")


if __name__ == "__main__":
    main()
