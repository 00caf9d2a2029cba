"""Containers by bubblewrap: what they are given, what they cannot do, and how each kind of trouble ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from craton.infra.compute.containers.start import Line, line_of
from craton.infra.compute.port import Container, ModelSpec, Mount
from craton.infra.compute.process import tree
from craton.infra.compute.sandbox import Mode, Refused
from tests.integration.containers.running_containers import SERVER, Kept, kept, spec, walled, with_replica

pytestmark = walled
MIB = 1 << 20


def test_a_command_answers_on_its_socket() -> None:
    """A command that listens on port 8080 of its own network is reached over the replica's Unix socket."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        answer = await one.invoke(messages=[{"role": "user", "content": "hello"}])
        assert answer["choices"][0]["message"]["content"] == "Echo: hello"
        assert "serving on 8080" in one.log()

    with_replica(spec(), body)


def test_replicas_have_the_same_port_each() -> None:
    """Two replicas listen on port 8080 at once, for each has a network of its own."""

    async def main() -> None:
        async with kept(spec()) as one, kept(spec()) as other:
            for each in (one, other):
                await each.until("ready")
                assert (await each.invoke(messages=[{"content": "x"}]))["choices"]

    asyncio.run(main())


def test_many_connections_at_once_pass() -> None:
    """Forty requests at once, each with a body of half a megabyte, come and go whole."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        text = "x" * 30_000
        answers = await asyncio.gather(*(one.invoke(messages=[{"content": text}]) for _ in range(40)))
        assert {len(each["choices"][0]["message"]["content"]) for each in answers} == {30_006}

    with_replica(spec(), body)


def test_the_environment_is_sagemakers_and_nothing_else() -> None:
    """The container learns its port and what the spec says, nothing of the server's environment."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        found = json.loads((await one.attempt("environment")).removeprefix("done: "))
        assert found["SAGEMAKER_BIND_TO_PORT"] == "8080"
        assert found["MODEL_NAME"] == "tiny"
        assert set(found) <= {
            "HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "PYTHONUNBUFFERED", "SAGEMAKER_BIND_TO_PORT", "MODE", "MODEL_NAME",
            "SAGEMAKER_SAFE_PORT_RANGE", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
        }  # fmt: skip

    with_replica(spec(env={"MODEL_NAME": "tiny"}), body)


def test_the_models_files_are_there_read_only(tmp_path: Path) -> None:
    """The model's folder lies at /opt/ml/model, can be read and not be written."""
    (tmp_path / "weights").write_text("numbers")
    mounted = Container(mounts=(Mount(str(tmp_path), "/opt/ml/model"),))

    async def body(one: Kept) -> None:
        await one.until("ready")
        assert await one.attempt("read:/opt/ml/model/weights") == "done: numbers"
        assert (await one.attempt("write:/opt/ml/model/more")).startswith("refused")
        assert not (tmp_path / "more").exists()

    with_replica(spec(container=mounted), body)


def test_it_writes_nowhere_outside(tmp_path: Path) -> None:
    """Writing fails everywhere but in /tmp, which is the container's own."""
    places = ["/x", "/usr/x", "/etc/passwd", "/dev/x", "/proc/sys/kernel/hostname", str(SERVER.parent / "x")]

    async def body(one: Kept) -> None:
        await one.until("ready")
        for place in places:
            assert (await one.attempt(f"write:{place}")).startswith("refused"), place
        assert await one.attempt(f"write:/tmp/{tmp_path.name}-own") == "done"
        assert not Path(f"/tmp/{tmp_path.name}-own").exists()

    with_replica(spec(), body)


def test_the_scratch_folder_has_an_end() -> None:
    """What it may write to /tmp is bounded."""
    full = "import os, sys; open('/tmp/x', 'wb').write(b'x' * (2 << 20))"
    wanted = spec(command=(sys.executable, "-I", "-S", "-c", full))

    async def body(one: Kept) -> None:
        status = await one.until("failed")
        assert "No space left" in status.last_error

    with_replica(wanted, body)


def test_it_opens_no_socket_outwards() -> None:
    """Neither the world nor this machine's own ports nor the hypervisor are within its reach."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def body(one: Kept) -> None:
            await one.until("ready")
            for what in (
                "connect:192.0.2.1:80",
                f"connect:127.0.0.1:{port}",
                "connect:[::1]:80",
                "datagram:",
                "family:40",
            ):
                assert (await one.attempt(what)).startswith("refused"), what

        with_replica(spec(), body)


def test_it_sees_no_home_no_process_and_has_no_rights(tmp_path: Path) -> None:
    """People's folders are not there, other processes are not seen, capabilities are none."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        for place in (tmp_path, Path("/etc/ssl/private"), Path("/var"), Path("/home")):
            assert (await one.attempt(f"list:{place}")).startswith("refused"), place
        assert (await one.attempt("read:/etc/shadow")).startswith("refused")
        seen = (await one.attempt("processes")).removeprefix("done: ").split(",")
        assert len(seen) <= 3
        assert await one.attempt("rights") == "done: 0000000000000000 1"

    with_replica(spec(), body)


def test_one_that_eats_all_memory_is_ended() -> None:
    """Memory past the limit ends the replica, whose error says why."""

    async def body(one: Kept) -> None:
        status = await one.until("failed")
        assert "over its memory limit" in status.last_error or "MemoryError" in status.last_error

    with_replica(spec("eats", memory_limit_bytes=150 * MIB), body)


def test_one_that_makes_processes_without_end_is_ended() -> None:
    """A fork bomb meets the kernel's limit, or, where the kernel spares root, its end."""

    async def body(one: Kept) -> None:
        status = await one.until("failed", "ready")
        if status.state == "failed":
            assert "more processes than it may have" in status.last_error or "not healthy" in status.last_error
        else:
            assert len(tree(status.pid)) <= 40 + 4

    with_replica(spec("bombs", container=Container(processes=40), start_timeout_s=5), body)


def test_one_that_dies_on_load_says_so() -> None:
    """The last lines of a container that ends are its replica's error, and stay in its log."""

    async def body(one: Kept) -> None:
        status = await one.until("failed")
        assert status.last_error.startswith("exit code 3")
        assert "weights.bin: the header is damaged" in status.last_error
        assert "the header is damaged" in one.log()

    with_replica(spec("dies"), body)


@pytest.mark.parametrize(
    ("mode", "reason"), [("silent", "not healthy within 1 s"), ("broken", "not healthy within 1 s")]
)
def test_one_that_never_pings_is_given_up(mode: str, reason: str) -> None:
    """Without a good answer to GET /ping in time a replica has failed."""

    async def body(one: Kept) -> None:
        status = await one.until("failed")
        assert reason in status.last_error

    with_replica(spec(mode, start_timeout_s=1.0), body)


def test_it_is_told_before_it_is_ended() -> None:
    """SIGTERM reaches the command itself, and the replica ends with it."""
    patient = (
        "import signal, sys, time, http.server, runpy;"
        "signal.signal(signal.SIGTERM, lambda *_: (print('asked to end', flush=True), sys.exit(0)));"
        f"runpy.run_path({str(SERVER)!r})"
    )

    async def body(one: Kept) -> None:
        await one.until("ready")
        await one.host.stop("one")
        assert "asked to end" in "\n".join(one.host.log("one"))

    with_replica(spec(command=(sys.executable, "-I", "-S", "-c", patient)), body)


def test_a_root_folder_is_the_containers_whole_world(tmp_path: Path) -> None:
    """With a root folder nothing of this machine is seen; a folder for the model is made where it has none."""
    root, model = tmp_path / "root", tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("numbers")
    for name in ("app", "opt/more"):
        (root / name).mkdir(parents=True)
    (root / "app" / SERVER.name).write_bytes(SERVER.read_bytes())
    (root / "link").symlink_to("app")
    container = Container(root=str(root), mounts=(Mount(str(model), "/opt/ml/model"),))
    line = line_of(ModelSpec(id="x", command=("serve",), container=container), tmp_path / "s", tmp_path, 1, "auto")
    words = " ".join(line.command)
    assert f"--ro-bind {root}/app /app" in words
    assert "--symlink app /link" in words
    assert f"--dir /opt --ro-bind {root}/opt/more /opt/more --ro-bind {model} /opt/ml/model" in words
    assert "--ro-bind /usr" not in words


def test_a_container_runs_in_a_root_folder(tmp_path: Path) -> None:
    """A minimal root folder, made of an interpreter and what it needs, serves."""
    root = tmp_path / "root"
    (root / "srv").mkdir(parents=True)
    (root / "srv" / SERVER.name).write_bytes(SERVER.read_bytes())
    base = Path(sys.base_prefix)
    for name in ("usr", "lib", "lib64", "bin"):  # the system's own, as a distribution's root has them
        place = Path("/", name)
        if place.is_symlink():
            (root / name).symlink_to(place.readlink())
    wanted = spec(
        container=Container(root=str(root)),
        command=(str(Path(sys.executable).resolve()), "-I", "-S", f"/srv/{SERVER.name}"),
        reads=("/usr", str(base)),
    )

    async def body(one: Kept) -> None:
        await one.until("ready")
        assert await one.attempt("list:/srv") == f"done: {SERVER.name}"
        assert (await one.attempt("list:/etc")).startswith("refused")
        assert (await one.attempt("write:/srv/x")).startswith("refused")

    with_replica(wanted, body)


def test_a_command_can_listen_on_the_socket_itself() -> None:
    """With port 0 the command gets the socket's path and no relay stands between."""
    listening = (
        "import socket, sys\n"
        "made = socket.socket(socket.AF_UNIX); made.bind(sys.argv[1]); made.listen()\n"
        "while True:\n"
        "    one, _ = made.accept(); one.recv(4096)\n"
        "    one.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nhi'); one.close()\n"
    )
    wanted = spec(
        container=Container(port=0), command=(sys.executable, "-I", "-S", "-c", listening, "{uds}"), health="/health"
    )

    async def body(one: Kept) -> None:
        await one.until("ready")

    with_replica(wanted, body)


def test_killing_the_replica_leaves_nothing() -> None:
    """When the outer process is killed, what it held goes with it."""

    async def body(one: Kept) -> None:
        status = await one.until("ready")
        held = tree(status.pid)
        assert len(held) >= 4  # the relay, two of bubblewrap's, the command
        os.kill(status.pid, signal.SIGKILL)
        await one.until("failed")
        for _ in range(3_000):
            if not any(Path(f"/proc/{pid}").exists() for pid in held):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("something is left")

    with_replica(spec(), body)


def test_without_walls_only_a_person_who_says_so_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap a container is refused, unless the sandbox is off: then it runs on a port of this machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = spec()
    modes: tuple[Mode, ...] = ("auto", "required")
    for mode in modes:
        with pytest.raises(Refused, match="bubblewrap"):
            line_of(wanted, tmp_path / "s", tmp_path, 1, mode)
    line = line_of(wanted, tmp_path / "s", tmp_path, 1, "off")
    assert isinstance(line, Line)
    assert line.env["SAGEMAKER_BIND_TO_PORT"] not in ("0", "8080")


def test_with_the_sandbox_off_it_serves_on_a_port_of_this_machine(tmp_path: Path) -> None:
    """Bare, the command is told a free port and where the model's folder is, and the relay finds it there."""
    (tmp_path / "weights").write_text("numbers")
    mounted = Container(mounts=(Mount(str(tmp_path), "/opt/ml/model"),))

    async def body(one: Kept) -> None:
        await one.until("ready")
        assert await one.attempt(f"read:{tmp_path}/weights") == "done: numbers"
        environment = json.loads((await one.attempt("environment")).removeprefix("done: "))
        assert environment["SAGEMAKER_BIND_TO_PORT"] != "8080"
        assert environment["MODEL_FOLDER"] == str(tmp_path)

    with_replica(spec(container=mounted, env={"MODEL_FOLDER": "/opt/ml/model"}), body, "off")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A program or a folder that is not there is the replica's error."""
    missing = [
        (spec(command=("no-such-program",)), "there is no program no-such-program"),
        (spec(container=Container(mounts=(Mount(str(tmp_path / "no"), "/opt/ml/model"),))), "there is no folder"),
        (spec(container=Container(root=str(tmp_path / "no"))), "there is no folder"),
    ]
    for wanted, told in missing:

        async def body(one: Kept, told: str = told) -> None:
            assert told in (await one.until("failed")).last_error

        with_replica(wanted, body)


def test_a_slow_reader_slows_the_container() -> None:
    """A client that does not read holds back what the container sends, instead of filling this machine's memory."""

    async def body(one: Kept) -> None:
        status = await one.until("ready")
        before = status.rss_bytes
        path = status.address.removeprefix("unix:")
        reader, writer = await asyncio.open_unix_connection(path, limit=1024)
        writer.write(b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        await asyncio.sleep(1.0)
        assert one.status.rss_bytes < before + 100 * MIB
        writer.transport.abort()
        assert reader is not None

    with_replica(spec("forever"), body)
