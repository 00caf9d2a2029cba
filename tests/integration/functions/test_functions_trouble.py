"""Functions that do what they should not: each costs its own invocation, and the host goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from craton.features.functions.host.making import Unable
from tests.integration.functions.hosting import Host, host, run, told

GOOD = "def handler(event, context):\n    return 'well'"


async def still_well(at: Host) -> None:
    """The host runs functions as before."""
    assert told(await at.invoke(at.plan(GOOD, "good"))) == "well"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def handler(event, context):\n    raise ValueError('no good')", "ValueError", "no good"),
        ("import nothing_there\ndef handler(event, context): ...", "Runtime.ImportModuleError", "nothing_there"),
        ("def other(event, context): ...", "Runtime.HandlerNotFound", "handler"),
        ("def handler(event, context)\n    pass", "Runtime.UserCodeSyntaxError", "main"),
        ("def handler(event, context):\n    return object()", "Runtime.MarshalError", "not JSON serializable"),
        ("import os\ndef handler(event, context):\n    os._exit(3)", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(event, context):\n    os._exit(0)", "Runtime.ExitError", "without providing a reason"),
        ("import os\nos._exit(1)", "Runtime.ExitError", "exit status 1"),
        ("import os\ndef handler(event, context):\n    os.kill(os.getpid(), 11)", "Runtime.ExitError", "segmentation"),
        ("def handler(event, context):\n    return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "6291556"),
    ],
)
def test_an_error_is_told_as_aws_does(tmp_path: Path, source: str, kind: str, message: str) -> None:
    """The payload holds the error's type and message, and the error is one of the function's."""

    async def work() -> None:
        async with host(tmp_path) as at:
            done = await at.invoke(at.plan(source))
            assert done.error == "Unhandled"
            found = told(done)
            assert found["errorType"] == kind
            assert message in found["errorMessage"]
            await still_well(at)

    run(work())


def test_a_loop_ends_at_its_timeout(tmp_path: Path) -> None:
    """A function that never ends is ended, and says so in AWS's words; nothing of it lives on."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan("def handler(event, context):\n    while True: pass", timeout_s=1)
            done = await at.invoke(plan, request_id="22222222-0000-4000-8000-000000000000")
            assert told(done) == {
                "errorType": "Sandbox.Timedout",
                "errorMessage": "RequestId: 22222222-0000-4000-8000-000000000000 Error: Task timed out after 1.00 seconds",
            }
            assert b"Status: timeout" in done.log_tail
            await still_well(at)

    run(work())


def test_a_slow_start_is_tried_once_more_in_the_invocation(tmp_path: Path) -> None:
    """A runtime that exits while it comes up is begun a second time before the error is told."""

    async def work() -> None:
        async with host(tmp_path) as at:
            done = await at.invoke(at.plan("import os\nprint('coming')\nos._exit(7)"))
            assert "exit status 7" in told(done)["errorMessage"]
            await at.pool.close()
            assert at.gateway.lines.count("coming") == 2

    run(work())


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A function that takes more memory than it has is killed."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import time
                def handler(event, context):
                    held = []
                    while True:
                        held.append(b'x' * 10_000_000)
                        time.sleep(0.01)
                """
            done = await at.invoke(at.plan(source, memory_mb=128))
            assert told(done)["errorType"] == "Runtime.ExitError"
            assert "signal: killed" in told(done)["errorMessage"]
            assert b"Runtime.OutOfMemory" in done.log_tail
            await still_well(at)

    run(work())


def test_processes_are_bounded(tmp_path: Path) -> None:
    """A function that forks without end is ended, with all that it made."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import os, time
                def handler(event, context):
                    while True:
                        try:
                            if os.fork() == 0:
                                time.sleep(60)
                        except OSError:
                            return 'bounded'
                """
            before = len(list(Path("/proc").iterdir()))
            done = await at.invoke(at.plan(source, memory_mb=1024, timeout_s=20))
            assert done.error or told(done) == "bounded"
            for _ in range(1_200):
                if len(list(Path("/proc").iterdir())) < before + 200:
                    break
                await asyncio.sleep(0.05)
            assert len(list(Path("/proc").iterdir())) < before + 200
            await still_well(at)

    run(work())


def test_its_disk_is_bounded_and_its_own(tmp_path: Path) -> None:
    """/tmp takes what it is said to take and no more; nothing else can be written; another function does not see it."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import os
                def handler(event, context):
                    wrong = []
                    for place in ('/var/task/x', '/opt/x', '/x', '/var/runtime/x', '/dev/shm/x', '/dev/x'):
                        try:
                            open(place, 'w').write('x')
                            wrong.append(place)
                        except OSError:
                            pass
                    seen = os.listdir('/tmp')
                    size = 0
                    try:
                        for part in range(1000):
                            with open(f'/tmp/{part}', 'wb') as file:
                                size += file.write(bytes(16_000_000))
                    except OSError as error:
                        return [wrong, seen, error.errno, size < 530_000_000]
                """
            done = await at.invoke(at.plan(source, memory_mb=512, timeout_s=30))
            assert told(done) == [[], [], 28, True]
            names = "import os\ndef handler(event, context):\n    return os.listdir('/tmp')"
            assert told(await at.invoke(at.plan(names, "other"))) == []

    run(work())


def test_a_megabyte_of_output_passes(tmp_path: Path) -> None:
    """What is printed is passed on, up to a bound; the tail is 4 KB at most."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = "def handler(event, context):\n    for n in range(event):\n        print('x' * 1023)\n    return n"
            plan = at.plan(source, timeout_s=30)
            done = await at.invoke(plan, 1024)
            assert told(done) == 1023
            assert len(done.log_tail) <= 4096
            await at.invoke(plan, 40_000)
            await at.pool.close()
            lines = at.gateway.lines
            assert 1024 + 10_000 < lines.count("x" * 1023) < 1024 + 20_000
            assert any("bytes of output were dropped" in line for line in lines)

    run(work())


def test_nothing_outside_can_be_seen_or_reached(tmp_path: Path) -> None:
    """No network, no process, no file of this machine's users: only the system, the function, and the two ports."""
    secret = tmp_path / "secret"
    secret.write_text("secret")

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import importlib.util, os, socket
                def tried(place):
                    try:
                        socket.create_connection(place, timeout=1).close()
                    except OSError as error:
                        return type(error).__name__
                    return 'reached'
                def handler(event, context):
                    return {
                        'net': [tried(('192.0.2.1', 80)), tried(('127.0.0.1', event['port']))],
                        'files': [os.path.exists(place) for place in event['places']],
                        'processes': len([one for one in os.listdir('/proc') if one.isdigit()]),
                        'packages': [importlib.util.find_spec(name) is not None for name in ('pip', 'msgspec', 'craton')],
                        'devices': sorted(os.listdir('/sys/class/net')) if os.path.exists('/sys/class/net') else [],
                    }
                """
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            event = {"port": port, "places": [str(secret), "/root", "/home", "/work", "/etc/shadow"]}
            found = told(await at.invoke(at.plan(source), event))
            assert "reached" not in found["net"]
            assert found["files"] == [False] * 5
            assert found["processes"] <= 3
            assert found["devices"] == []
            assert found["packages"] == [False] * 3
            server.close()

    run(work())


def test_a_runtime_that_speaks_nonsense_hurts_itself_alone(tmp_path: Path) -> None:
    """Requests that the Runtime API does not know are refused; the invocation goes on."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = """
                import http.client, socket
                def handler(event, context):
                    found = []
                    for method, path in (('GET', '/2020-01-01/extension/register'), ('POST', '/2018-06-01/runtime/invocation/zzz/response'),
                                         ('POST', '/2018-06-01/runtime/invocation//error'), ('PUT', '/')):
                        line = http.client.HTTPConnection('127.0.0.1', 9001)
                        line.request(method, path, body='x' if method == 'POST' else None)
                        found.append(line.getresponse().status)
                    raw = socket.create_connection(('127.0.0.1', 9001))
                    raw.sendall(b'nonsense\\r\\n\\r\\n')
                    return [*found, raw.recv(12).decode()]
                """
            assert told(await at.invoke(at.plan(source))) == [404, 400, 400, 404, "HTTP/1.1 400"]

    run(work())


def test_limits_of_concurrency_refuse(tmp_path: Path) -> None:
    """A function's own limit and the account's are kept, each with AWS's reason; what was refused did not run."""

    async def work() -> None:
        async with host(tmp_path, concurrency=3) as at:
            slow = "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    return 1"
            plan = at.plan(slow, reserved=1)
            both = await asyncio.gather(at.invoke(plan), at.invoke(plan), return_exceptions=True)
            refused = [one for one in both if isinstance(one, Unable)]
            assert [one.refusal.reason for one in refused] == ["ReservedFunctionConcurrentInvocationLimitExceeded"]
            others = await asyncio.gather(*(at.invoke(at.plan(slow, "b")) for _ in range(5)), return_exceptions=True)
            refused = [one for one in others if isinstance(one, Unable)]
            assert {one.refusal.reason for one in refused} == {"ConcurrentInvocationLimitExceeded"}
            assert len(refused) == 2
            assert refused[0].refusal.name == "TooManyRequestsException"
            assert refused[0].refusal.status == 429

    run(work())
