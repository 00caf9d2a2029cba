"""The control channel: calls, faults, generations that everyone has taken up, and clients that mend themselves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from craton.infra.control.client import ControlClient
from craton.infra.control.console import Console
from craton.infra.control.server import Call, ControlServer, Peer, listen_unix
from craton.infra.control.wire import ControlFault, ControlLost


async def echo(call: Call) -> Any:
    await asyncio.sleep(float(call.params.get("wait_s", 0)))
    return call.params


async def refuse(call: Call) -> None:
    raise ControlFault("model_failed", "it has no weights", retry_after_s=2.5)


async def break_down(call: Call) -> None:
    raise ZeroDivisionError("a secret")


METHODS = {"echo": echo, "refuse": refuse, "break": break_down}


@contextlib.asynccontextmanager
async def serving(path: Path, on_stuck: Callable[[Peer], None] | None = None) -> AsyncIterator[ControlServer]:
    server = ControlServer(METHODS, on_stuck)
    await server.start(listen_unix(path))
    try:
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def client_of(path: Path, **options: Any) -> AsyncIterator[ControlClient]:
    client = ControlClient(path, **options)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await body()

    asyncio.run(main())


def test_calls_are_answered_in_any_order(tmp_path: Path) -> None:
    """A slow call does not hold up a quick one, and bytes come through as bytes."""

    async def body() -> None:
        async with serving(tmp_path / "c"), client_of(tmp_path / "c") as client:
            slow = asyncio.create_task(client.call("echo", {"wait_s": 0.3, "data": b"\x00\xff"}))
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert not slow.done()
            assert (await slow)["data"] == b"\x00\xff"

    run(body)


def test_faults_carry_code_message_and_wait(tmp_path: Path) -> None:
    """A refusal reaches the caller as it was raised; an unknown method and a crash are told apart, without details."""

    async def body() -> None:
        async with serving(tmp_path / "c"), client_of(tmp_path / "c") as client:
            with pytest.raises(ControlFault, match="no weights") as refused:
                await client.call("refuse")
            assert (refused.value.code, refused.value.retry_after_s) == ("model_failed", 2.5)
            with pytest.raises(ControlFault) as unknown:
                await client.call("nothing")
            assert unknown.value.code == "unknown_method"
            with pytest.raises(ControlFault) as broken:
                await client.call("break")
            assert broken.value.code == "internal"
            assert "secret" not in str(broken.value)
            assert (await client.call("ping"))["generation"] == 0

    run(body)


def test_a_call_has_a_deadline(tmp_path: Path) -> None:
    """An answer that does not come in time is a TimeoutError, and the next call works."""

    async def body() -> None:
        async with serving(tmp_path / "c"), client_of(tmp_path / "c") as client:
            with pytest.raises(TimeoutError):
                await client.call("echo", {"wait_s": 5}, timeout_s=0.1)
            assert await client.call("echo") == {}

    run(body)


def test_publish_waits_for_all_workers(tmp_path: Path) -> None:
    """A generation is published when each worker has taken it up, not before."""

    async def body() -> None:
        gate = asyncio.Event()
        seen: list[tuple[str, int, bytes]] = []

        async def quick(number: int, payload: bytes) -> None:
            seen.append(("quick", number, payload))

        async def slow(number: int, payload: bytes) -> None:
            await gate.wait()
            seen.append(("slow", number, payload))

        async with (
            serving(tmp_path / "c") as server,
            client_of(tmp_path / "c") as one,
            client_of(tmp_path / "c") as two,
        ):
            one.subscribe(quick)
            two.subscribe(slow)
            await two.call("ping")
            publishing = asyncio.create_task(server.publish(b"keys"))
            while not seen:
                await asyncio.sleep(0.01)
            assert not publishing.done()
            gate.set()
            assert await publishing == 1
            assert seen == [("quick", 1, b"keys"), ("slow", 1, b"keys")]
            assert (one.generation, two.generation) == (1, 1)

    run(body)


def test_a_worker_may_publish(tmp_path: Path) -> None:
    """The caller of `publish` takes up its own generation before it gets the answer."""

    async def body() -> None:
        taken: list[bytes] = []

        async def take(number: int, payload: bytes) -> None:
            taken.append(payload)

        async with serving(tmp_path / "c"), client_of(tmp_path / "c") as client:
            client.subscribe(take)
            assert await client.call("publish", {"payload": b"mine"}) == 1
            assert taken == [b"mine"]

    run(body)


def test_a_new_worker_gets_the_current_generation(tmp_path: Path) -> None:
    """Whoever connects later learns what holds now; a command line is not told."""

    async def body() -> None:
        taken: list[tuple[int, bytes]] = []

        async def take(number: int, payload: bytes) -> None:
            taken.append((number, payload))

        async with serving(tmp_path / "c") as server:
            await server.publish(b"old")
            await server.publish(b"new")
            async with client_of(tmp_path / "c") as client, client_of(tmp_path / "c", role="cli") as other:
                client.subscribe(take)
                await server.publish(b"newer")
                await other.call("ping")
                assert taken[-1] == (3, b"newer")
                assert taken[0] in ((2, b"new"), (3, b"newer"))
                assert other.generation == 0

    run(body)


def test_a_worker_that_does_not_follow_is_reported(tmp_path: Path) -> None:
    """`publish` gives up on a worker that does not take up the generation, and says who it was."""

    async def body() -> None:
        stuck: list[Peer] = []

        async def refuse_it(number: int, payload: bytes) -> None:
            raise ValueError("cannot")

        async with serving(tmp_path / "c", stuck.append) as server, client_of(tmp_path / "c", index=5) as client:
            client.subscribe(refuse_it)
            await client.call("ping")
            assert await server.publish(b"x", timeout_s=0.1) == 1
            assert [peer.index for peer in stuck] == [5]

    run(body)


def test_a_worker_that_goes_is_not_waited_for(tmp_path: Path) -> None:
    """A connection that ends during a publish ends the wait for it."""

    async def body() -> None:
        async with serving(tmp_path / "c") as server:
            async with client_of(tmp_path / "c") as client:
                await client.call("ping")
                publishing = asyncio.create_task(server.publish(b"x", timeout_s=20))
                await asyncio.sleep(0.05)
            assert await publishing == 1

    run(body)


def test_a_client_reconnects(tmp_path: Path) -> None:
    """After the server's end a call in flight is lost, and later calls reach its successor."""

    async def body() -> None:
        async with serving(tmp_path / "c") as server:
            await server.publish(b"one")
            client = ControlClient(tmp_path / "c")
            await client.open()
            taken: list[bytes] = []

            async def take(number: int, payload: bytes) -> None:
                taken.append(payload)

            client.subscribe(take)
            lost = asyncio.create_task(client.call("echo", {"wait_s": 20}))
            await client.call("ping")
        with pytest.raises(ControlLost):
            await lost
        assert not client.is_connected
        with pytest.raises((ControlLost, TimeoutError)):
            await client.call("ping", timeout_s=0.05)
        async with serving(tmp_path / "c") as server:
            await client.call("ping")
            await server.publish(b"other")
            assert taken == [b"one", b"other"]
            await client.close()

    run(body)


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    """Without a supervisor both clients say so."""

    async def body() -> None:
        client = ControlClient(tmp_path / "c")
        with pytest.raises(ControlLost):
            await client.open(timeout_s=0.1)
        await client.close()

    run(body)
    with pytest.raises(ControlLost):
        Console(tmp_path / "c")


def test_rubbish_ends_one_connection_only(tmp_path: Path) -> None:
    """A peer that speaks something else is cut off, and the others do not notice."""

    async def body() -> None:
        async with serving(tmp_path / "c"), client_of(tmp_path / "c") as client:
            for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x00\x00\x00\x01\xc1"):
                reader, writer = await asyncio.open_unix_connection(str(tmp_path / "c"))
                writer.write(rubbish)
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            assert await client.call("echo") == {}

    run(body)


def test_the_socket_is_private(tmp_path: Path) -> None:
    """Only this user may connect."""
    sock = listen_unix(tmp_path / "c")
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
    sock.close()


def test_the_console_blocks_and_answers(tmp_path: Path) -> None:
    """The command line's client works without a loop, and gets faults as such."""

    async def body() -> None:
        def talk() -> None:
            with Console(tmp_path / "c") as console:
                assert console.call("echo", {"n": 2}) == {"n": 2}
                with pytest.raises(ControlFault, match="weights"):
                    console.call("refuse")
                assert console.call("peers")[0]["role"] == "cli"
                with pytest.raises(TimeoutError):
                    console.call("echo", {"wait_s": 5}, timeout_s=0.1)

        async with serving(tmp_path / "c"):
            await asyncio.to_thread(talk)

    run(body)


def test_a_silent_peer_is_cut_off_at_close(tmp_path: Path) -> None:
    """Somebody who connects and says nothing does not hold up the end."""

    async def body() -> None:
        async with serving(tmp_path / "c"):
            silent = socket.socket(socket.AF_UNIX)
            silent.connect(str(tmp_path / "c"))
            await asyncio.sleep(0.05)
        silent.close()

    run(body)
