"""From a model's files to one that is served: quantising where that is faster, what it cost, and the proof that it answers.

Owns the choice of the precision and the programs that are run for it; each runs in a process of its own. It must not
know S3 or rows.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from craton.config_tables import ComputeTable
from craton.features.hosting.engines import CannotServe, Engines
from craton.features.hosting.folders import Folders
from craton.features.hosting.imported import Quality
from craton.features.importing import tokenizer
from craton.features.importing.model import Facts
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ReplicaStatus
from craton.infra.compute.process import available_cores, describe_exit
from craton.infra.compute.replica import Rules
from craton.infra.compute.room import Accelerators
from craton.infra.compute.sandbox import Sandbox
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import TransportError
from craton.workflows.import_model import child
from craton.workflows.workflow import JobFailed

NO_GPU_PRECISION = "int8"
"""What weights become for processors without a GPU: nearly lossless, and half the bytes to read per token."""
RAW = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""The chat template of a model that has none: it completes what it is given, as it stands."""
_CONVERTER, _MEASURER = "craton.engine.convert", "craton.engine.quality"
_LOOK_EVERY_S = 0.1
_ANSWER_S = 300.0
_PROBE = "probe"
_GOOD = 200
_FAILED = re.compile(r'state=failed reason="?(.*?)"?$')
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def precision_for(compute: ComputeTable, facts: Facts, gpus: float) -> str:
    """What the weights become: "" for nothing, they are served as they are. Raises JobFailed."""
    named = compute.import_precision
    if named == "none" or (named == "auto" and (gpus or not facts.exported or compute.engine not in ("auto", "onnx"))):
        return ""
    if not facts.exported:
        raise JobFailed(
            f'[compute] import_precision = "{named}", but models of the architecture {facts.architecture} cannot be '
            "quantised here."
        )
    return NO_GPU_PRECISION if named == "auto" else named


def add_template(folder: Path, facts: Facts) -> None:
    """Give a model without a chat template the one that adds nothing, since engines take conversations alone."""
    if not facts.instruct:
        (folder / tokenizer.TEMPLATE).write_text(RAW)


class Workshop:
    """What is done to a model that was fetched; a test has another. `home` is the server's."""

    def __init__(self, compute: ComputeTable, home: Path) -> None:
        self._compute = compute
        self._gpus = Accelerators().free
        self._sandbox = Sandbox(compute.sandbox, home)

    def precision(self, facts: Facts) -> str:
        """What the weights become; "" for nothing. Raises JobFailed."""
        return precision_for(self._compute, facts, self._gpus)

    async def convert(self, folders: Folders, arn: str, precision: str) -> str:
        """Make the graph of this precision beside the source; what it became. Raises JobFailed.

        Where nobody named a precision, a model that cannot be converted is served as it is: "" then. Some widths of
        heads, for one, only transformers computes.
        """
        words = [_CONVERTER, str(folders.source), str(folders.made), "--precision", precision, "--id", arn]
        ended = await child.run(words, folders.draft, self._sandbox)
        if ended.code == 0 and folders.made.is_dir():
            return precision
        reason = f"The model cannot be converted to {precision}: {last_words(ended, folders)}"
        if self._compute.import_precision != "auto":
            raise JobFailed(reason)
        print(f"craton: jobs: {arn} is served as it was imported. {reason}", file=sys.stderr, flush=True)
        await asyncio.to_thread(folders.afresh)
        return ""

    async def measure(self, folders: Folders) -> Quality | None:
        """What quantising cost; None where the measuring itself failed, which does not make the model worse."""
        words = [_MEASURER, str(folders.source), str(folders.made), "--threads", str(available_cores())]
        ended = await child.run(words, folders.draft, self._sandbox)
        return quality_of(ended)

    async def prove(self, arn: str, directory: Path) -> None:
        """Start the engine on the model just as it will be served, and have it answer once. Raises JobFailed."""
        await probe(self._compute, arn, directory, self._gpus, self._sandbox)


def quality_of(ended: child.Ended) -> Quality | None:
    """The figures in the last line that the measuring program wrote."""
    if ended.code != 0 or not ended.said:
        return None
    try:
        return msgspec.json.decode(ended.said[-1], type=Quality, strict=False)
    except msgspec.DecodeError:
        return None


def last_words(ended: child.Ended, folders: Folders) -> str:
    """Why a program ended, without the paths of this machine."""
    if ended.code < 0:
        return f"{describe_exit(ended.code)}; the machine may lack memory for it"
    lines = ended.complained or ended.said or [describe_exit(ended.code)]
    return lines[-1].replace(str(folders.source), "the model").replace(f"{folders.draft}/", "")[:600]


# --- the proof ---


async def probe(compute: ComputeTable, arn: str, directory: Path, gpus: float, sandbox: Sandbox) -> None:
    """See `Workshop.prove`. The process is walled in as those that serve are."""
    try:
        spec = Engines(compute, gpus).spec(arn, str(directory))
    except (CannotServe, OSError) as error:
        raise JobFailed(f"The model cannot be served: {error}") from None
    sockets = Path(tempfile.mkdtemp(prefix="craton-"))  # a socket's path has 107 bytes, and a home's may be long
    host = LocalModelHost(sockets, None, Rules(crash_limit=1), sandbox)
    try:
        host.start(_PROBE, spec)
        status = await ready(host, time.monotonic() + spec.start_timeout_s + 5.0)
        if status.state != "ready":
            reason = status.last_error or "it did not become ready in its time"
            raise JobFailed(f"The model cannot be loaded: {brief(reason, directory, sockets)}")
        await answers(status.address, arn)
    finally:
        await host.stop(_PROBE)
        await host.close()
        await asyncio.to_thread(shutil.rmtree, sockets, ignore_errors=True)


async def ready(host: LocalModelHost, until: float) -> ReplicaStatus:
    """The probe once it serves, or once it is plain that it will not."""
    while True:
        status = host.replicas()[0]
        if status.state in ("ready", "failed", "stopped") or time.monotonic() > until:
            return status
        await asyncio.sleep(_LOOK_EVERY_S)


async def answers(address: str, arn: str) -> None:
    """Raise JobFailed unless the model writes a token."""
    body = {"model": arn, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2, "temperature": 0}
    transport = open_transport(address)
    try:
        deadline = asyncio.get_running_loop().time() + _ANSWER_S
        headers = ((b"content-type", b"application/json"),)
        path = b"/v1/chat/completions"
        whole = await transport.fetch(b"POST", path, headers, msgspec.json.encode(body), deadline=deadline)
    except TransportError as error:
        raise JobFailed(f"The model was loaded, but it does not answer: {error}") from None
    finally:
        await transport.close()
    used = msgspec.json.decode(whole.body, type=_Reply).usage.completion_tokens if whole.status == _GOOD else 0
    if not used:
        raise JobFailed(f"The model was loaded, but it does not answer: {whole.body[:300].decode(errors='replace')}")


class _Usage(msgspec.Struct, frozen=True):
    completion_tokens: int = 0


class _Reply(msgspec.Struct, frozen=True):
    usage: _Usage = _Usage()


def brief(reason: str, directory: Path, sockets: Path) -> str:
    """An engine's reason in its own words, or what it said last, without the paths of this machine."""
    lines = [line.strip() for line in _COLOURS.sub("", reason).splitlines() if line.strip()]
    named = next((found[1] for line in lines if (found := _FAILED.search(line))), "")
    told = named or "; ".join(dict.fromkeys(lines))
    return told.replace(str(directory), "the model").replace(str(sockets), "")[:1000]
