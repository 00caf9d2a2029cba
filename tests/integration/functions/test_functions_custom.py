"""Custom runtimes: a `bootstrap` that speaks the Runtime API itself, streams included; and the socket that workers use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from craton.aws.wire.faults import Fault
from craton.features.functions.function import Plan
from craton.features.functions.host.door import Door
from craton.features.functions.line import FunctionsLine, Invoked
from craton.infra.control.server import listen_unix
from tests.integration.functions.hosting import PYTHON, Host, host, run, told

SHELL = """\
    #!/bin/sh
    # Shell functions cannot speak HTTP here: Python stands for what people compile.
    exec /usr/bin/env python3 "$LAMBDA_TASK_ROOT/loop.py"
    """
LOOP = """\
    import base64, http.client, json, os
    line = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    def call(method, path, body=None, headers={}, **more):
        line.request(method, "/2018-06-01/runtime/" + path, body, headers, **more)
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    while True:
        _, headers, body = call("GET", "invocation/next")
        asked = json.loads(body)
        way = "invocation/" + headers["lambda-runtime-aws-request-id"] + "/"
        if asked.get("stream"):
            def pieces():
                for number in range(asked["stream"]):
                    yield b"piece %d;" % number
                if asked.get("break"):
                    os._exit(1)
            said = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
            call("POST", way + "response", pieces(), said, encode_chunked=True)
        elif asked.get("fail"):
            call("POST", way + "error", json.dumps({"errorType": "Mine", "errorMessage": "no"}), {"Lambda-Runtime-Function-Error-Type": "Mine"})
        else:
            call("POST", way + "response", json.dumps({"handler": os.environ["_HANDLER"], "trace": headers.get("lambda-runtime-trace-id")}))
    """


def custom(at: Host, name: str = "own") -> Plan:
    return at.plan({"bootstrap": SHELL, "loop.py": LOOP}, name, runtime="provided.al2023")


async def streamed(at: Host, event: bytes) -> list[bytes | Invoked]:
    """What a worker gets of a streamed invocation, over the host's own socket."""
    path = at.root.parent / "functions.sock"
    door = Door(at.pool)
    await door.start(listen_unix(path))
    line = FunctionsLine(path.parent)
    found = [piece async for piece in line.stream(custom(at), event, request_id="r-1")]
    await line.close()
    await door.close()
    return found


def test_a_bootstrap_answers(tmp_path: Path) -> None:
    """A custom runtime gets events and the trace header, and answers or fails in its own words."""

    async def work() -> None:
        async with host(tmp_path) as at:
            done = await at.invoke(custom(at), {}, trace="Root=1-2-3")
            assert told(done) == {"handler": "main.handler", "trace": "Root=1-2-3"}
            done = await at.invoke(custom(at), {"fail": True})
            assert (done.error, told(done)) == ("Unhandled", {"errorType": "Mine", "errorMessage": "no"})

    run(work())


def test_a_streamed_answer_passes_as_it_comes(tmp_path: Path) -> None:
    """Head, pieces and end reach the worker; who asked for no stream gets the whole."""

    async def work() -> None:
        async with host(tmp_path) as at:
            first, *pieces, last = await streamed(at, b'{"stream": 3}')
            assert isinstance(first, Invoked)
            assert first.content_type == "text/plain"
            assert b"".join(pieces) == b"piece 0;piece 1;piece 2;"  # type: ignore[arg-type]
            assert isinstance(last, Invoked)
            assert last.error == ""
            assert last.log_tail.startswith(b"START RequestId: r-1")
            done = await at.invoke(custom(at), {"stream": 2})
            assert done.payload == b"piece 0;piece 1;"

    run(work())


def test_a_stream_that_breaks_off_says_so(tmp_path: Path) -> None:
    """What came is handed on; the end tells of the error."""

    async def work() -> None:
        async with host(tmp_path) as at:
            found = await streamed(at, b'{"stream": 2, "break": true}')
            last = found[-1]
            assert isinstance(last, Invoked)
            assert last.error == "Unhandled"
            assert found[1] == b"piece 0;"

    run(work())


def test_a_whole_answer_is_a_stream_of_one_piece(tmp_path: Path) -> None:
    """A runtime that does not stream can be invoked by who wants a stream."""

    async def work() -> None:
        async with host(tmp_path) as at:
            first, piece, last = await streamed(at, b"{}")
            assert isinstance(first, Invoked)
            assert isinstance(piece, bytes)
            assert b"main.handler" in piece
            assert isinstance(last, Invoked)

    run(work())


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    """A runtime that is not here, and a host that is gone, are errors of AWS's."""

    async def work() -> None:
        async with host(tmp_path) as at:
            path = tmp_path / "functions.sock"
            door = Door(at.pool)
            await door.start(listen_unix(path))
            line = FunctionsLine(tmp_path)
            good = at.plan("def handler(event, context):\n    return event", "good", runtime=PYTHON)
            assert (await line.invoke(good, b"1", request_id="r")).payload == b"1"
            missing = at.plan({"bootstrap": "#!/bin/sh\nexit 9"}, "gone", runtime="ruby3.3")
            with pytest.raises(Fault, match="ruby3.3 is not available here") as refused:
                await line.invoke(missing, b"1", request_id="r")
            assert refused.value.name == "InvalidRuntimeException"
            await door.close()
            path.unlink()
            with pytest.raises(Fault) as broken:
                await line.invoke(good, b"1", request_id="r")
            assert (broken.value.name, broken.value.status) == ("ServiceException", 500)
            await line.close()

    run(work())


def test_an_invocation_goes_on_without_its_caller(tmp_path: Path) -> None:
    """Whoever leaves before the answer does not keep the function from finishing."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan("import time\ndef handler(event, context):\n    time.sleep(0.3)\n    print('finished')")
            path = tmp_path / "functions.sock"
            door = Door(at.pool)
            await door.start(listen_unix(path))
            line = FunctionsLine(tmp_path)
            asked = asyncio.create_task(line.invoke(plan, b"1", request_id="r"))
            while not any(one.task is not None for one in at.pool.instances):
                await asyncio.sleep(0.01)
            asked.cancel()
            await line.close()
            await door.close()
            await at.pool.close()
            assert "finished" in at.gateway.lines

    run(work())
