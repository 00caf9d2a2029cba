"""Node.js functions in the host: AWS's own runtime client, whose compiled part nobody compiled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from craton.features.functions.function import Plan
from craton.features.functions.host.door import Door
from craton.features.functions.host.runtimes import available, find
from craton.features.functions.line import FunctionsLine, Invoked
from craton.infra.control.server import listen_unix
from tests.integration.functions.hosting import Host, host, run, told

CLIENT = str(Path(__file__).parents[3] / ".tools" / "js")
NODE = next(name for name in available(CLIENT) if name.startswith("nodejs"))
KINDS = """\
    const seen = [];
    exports.async = async (event, context) => {
        seen.push(event);
        return { seen, id: context.awsRequestId, name: context.functionName, left: context.getRemainingTimeInMillis() > 0 };
    };
    exports.callback = (event, context, callback) => setTimeout(() => callback(null, [event, context.memoryLimitInMB]), 5);
    exports.never = (event, context, callback) => {};
    exports.prints = async () => { console.log("one\\ntwo"); console.error("three %d", 3); };
    exports.throws = async () => { throw new TypeError("no good"); };
    exports.later = async () => { setTimeout(() => { throw new RangeError("too late"); }, 5); await new Promise(() => {}); };
    exports.unheard = async () => { Promise.reject(new Error("unheard")); await new Promise(() => setTimeout(() => {}, 5000)); };
    exports.exits = async () => { process.exit(3); };
    exports.circle = async () => { const ring = {}; ring.ring = ring; return ring; };
    exports.loops = async () => { for (;;); };
    exports.fills = async () => { const held = []; for (;;) held.push(Buffer.alloc(1e7, 1)); };
    exports.big = async () => "x".repeat(7_000_000);
    """
STREAM = """\
    export const handler = awslambda.streamifyResponse(async (event, stream) => {
        stream.setContentType("text/plain");
        for (let number = 0; number < event.pieces; number++) stream.write(`piece ${number};`);
        if (event.fail) throw new Error("in the middle");
        stream.end();
    });
    """


def node(at: Host, handler: str, files: str | dict[str, str] = KINDS, **more: object) -> Plan:
    made = {"main.js": files} if isinstance(files, str) else files
    return at.plan(made, f"n-{handler.replace('.', '-')}", runtime=NODE, handler=handler, **more)  # type: ignore[arg-type]


def test_handlers_of_every_kind_answer(tmp_path: Path) -> None:
    """Async ones, with a callback, and those that say nothing before there is nothing left to do; warm ones remember."""

    async def work() -> None:
        async with host(tmp_path, node_client=CLIENT) as at:
            plan = node(at, "main.async")
            said = {"id": "00000000-0000-4000-8000-000000000001", "name": "n-main-async", "left": True}
            assert told(await at.invoke(plan, 1)) == {"seen": [1], **said}
            assert told(await at.invoke(plan, "é")) == {"seen": [1, "é"], **said}
            assert told(await at.invoke(node(at, "main.callback"), {"a": 1})) == [{"a": 1}, "128"]
            assert told(await at.invoke(node(at, "main.never"))) is None

    run(work())


def test_modules_come_from_the_function_its_layers_and_the_runtime(tmp_path: Path) -> None:
    """For `import` and for `require`; the function's own win."""
    imported = """\
        import own from "own";
        import layered from "layered";
        import { createRequire } from "node:module";
        import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
        const required = createRequire(import.meta.url)("layered");
        export const handler = async () => [own, layered, required, typeof BedrockRuntimeClient];
        """
    files = {
        "index.mjs": imported,
        "node_modules/own/index.js": "module.exports = 'of the function';",
    }
    layer = {
        "nodejs/node_modules/layered/index.js": "module.exports = 'of the layer';",
        "nodejs/node_modules/own/index.js": "module.exports = 'of the layer';",
    }

    async def work() -> None:
        async with host(tmp_path, node_client=CLIENT) as at:
            done = await at.invoke(node(at, "index.handler", files, layers={"l": layer}, memory_mb=256))
            assert told(done) == ["of the function", "of the layer", "of the layer", "function"]

    run(work())


def test_what_is_printed_is_logged(tmp_path: Path) -> None:
    """With time, request id and level; what has several lines is one event."""

    async def work() -> None:
        async with host(tmp_path, node_client=CLIENT) as at:
            ident = "33333333-0000-4000-8000-000000000000"
            await at.invoke(node(at, "main.prints"), request_id=ident)
            await at.pool.close()
            begun, started, *printed, ended, reported = at.gateway.lines
            assert [line.split(" ")[0] for line in (begun, started, ended)] == ["INIT_START", "START", "END"]
            assert reported.startswith("REPORT")
            said = [line.split("\t", 1)[1] for line in printed]
            assert said == [f"{ident}\tINFO\tone\ntwo", f"{ident}\tERROR\tthree 3"]

    run(work())


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("main.throws", "TypeError", "no good"),
        ("main.later", "RangeError", "too late"),
        ("main.unheard", "Runtime.UnhandledPromiseRejection", "unheard"),
        ("main.exits", "Runtime.ExitError", "exit status 3"),
        ("main.circle", "Error", "stringify"),
        ("main.loops", "Sandbox.Timedout", "2.00 seconds"),
        ("main.fills", "Runtime.ExitError", "signal: killed"),
        ("main.big", "Function.ResponseSizeTooLarge", "6291556"),
        ("main.nothing", "Runtime.HandlerNotFound", "main.nothing"),
        ("missing.handler", "Runtime.ImportModuleError", "missing"),
        ("broken.handler", "Runtime.UserCodeSyntaxError", "SyntaxError"),
    ],
)
def test_an_error_is_told_as_aws_does(tmp_path: Path, handler: str, kind: str, message: str) -> None:
    """Thrown, thrown later, exits, loops, takes all memory, answers too much, cannot be loaded."""

    async def work() -> None:
        async with host(tmp_path, node_client=CLIENT) as at:
            files = {"main.js": KINDS, "broken.js": "exports.handler = async ( => 1"}
            timeout_s = 2 if handler == "main.loops" else 60
            done = await at.invoke(node(at, handler, files, timeout_s=timeout_s))
            assert (done.error, told(done)["errorType"]) == ("Unhandled", kind), told(done)
            assert message in told(done)["errorMessage"]

    run(work())


def test_an_answer_is_streamed(tmp_path: Path) -> None:
    """By awslambda.streamifyResponse, with its content type; one that breaks off says why."""

    async def work() -> None:
        async with host(tmp_path, node_client=CLIENT) as at:
            door, path = Door(at.pool), tmp_path / "functions.sock"
            await door.start(listen_unix(path))
            line = FunctionsLine(tmp_path)
            plan = node(at, "index.handler", {"index.mjs": STREAM})

            async def streamed(event: object) -> tuple[Invoked, bytes, Invoked]:
                asked = line.stream(plan, msgspec.json.encode(event), request_id="r-1")
                first, *pieces, last = [piece async for piece in asked]
                assert isinstance(first, Invoked)
                assert isinstance(last, Invoked)
                return first, b"".join(piece for piece in pieces if isinstance(piece, bytes)), last

            first, body, last = await streamed({"pieces": 3})
            assert (first.content_type, body, last.error) == ("text/plain", b"piece 0;piece 1;piece 2;", "")
            _, body, last = await streamed({"pieces": 1, "fail": True})
            assert (body, last.error) == (b"piece 0;", "Unhandled")
            assert b"in the middle" in last.payload
            await line.close()
            await door.close()

    run(work())


def test_a_compiled_part_is_used(tmp_path: Path) -> None:
    """Where AWS's addon is there, it is what speaks."""
    package = tmp_path / "node_modules" / "aws-lambda-ric"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "aws-lambda-ric", "main": "index.mjs", "type": "module"}')
    (package / "rapid-client.node").write_text("not a library")
    (package / "other.node").write_text("not a library")
    (package / "index.mjs").write_text(
        "import Module from 'node:module';\n"
        "Module._extensions['.node'] = (module) => { module.exports = 'compiled'; };\n"
        "export const run = async (...more) => console.log(Module.createRequire(import.meta.url)('./rapid-client.node'), ...more);"
    )
    runtime = find(NODE, (str(tmp_path), ""), str(tmp_path))
    assert runtime is not None
    begin = next(here for here, inside in runtime.mounts if inside.endswith("bootstrap.mjs"))
    said = subprocess.run(
        [runtime.command[0], begin, str(package / "index.mjs")],
        env={"LAMBDA_TASK_ROOT": "/t", "_HANDLER": "h"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout == "compiled /t h\n"


def test_without_the_client_there_is_no_node(tmp_path: Path) -> None:
    """A folder without AWS's client gives no runtime; the client's own folder does, and where npm installed it does."""
    assert NODE not in available(str(tmp_path))
    assert NODE in available(f"{CLIENT}/node_modules/aws-lambda-ric")
    assert find(NODE, (str(tmp_path), ""), str(tmp_path)) is None
