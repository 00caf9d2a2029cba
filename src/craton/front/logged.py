"""What of the requests goes into invocation logs: the bytes as they came and went, once the answer has left.

Owns which requests are logged, and the two request classes that keep references to their bytes; they take the place of
the plain ones only while some account has logs, so that servers without logs pay nothing. Nothing is encoded here on
the way of a request: a batch is, in the thread that writes it. It must not know what records look like, nor where
they go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from craton.aws.wire.faults import Fault
from craton.config import Settings
from craton.context import Call
from craton.features.invocations.entry import PURPOSE, Counts, Entry, encode
from craton.features.invocations.notice import Notice
from craton.features.invocations.terms import StoredTerms, read
from craton.front.body import Send
from craton.front.door_request import DoorRequest, Events, Whole
from craton.front.pipeline import Request
from craton.infra.cipher.port import Cipher, CipherError
from craton.infra.spool.port import Group, Losses, SpoolError
from craton.infra.spool.ring import Ring
from craton.infra.spool.spool import Block, Spool
from craton.infra.store.port import StoreError

LOGGED = frozenset({"Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"})
Logs = dict[tuple[str, str], Group]
Kept = tuple[Group, Entry]
# An answer up to this size is counted when it has left, as a request's body is.
_LONG_BYTES = 64 * 1024


class Door(Protocol):
    """What makes requests (`Pipeline`, `VendorDoors`), of the class that it is told."""

    request: Any


class InvocationLog:
    """The invocation logs of one worker."""

    def __init__(self, ring: Ring[Kept], spool: Spool) -> None:
        self.ring = ring
        self.spool = spool
        self.groups: Logs = {}
        self._zero = 0.0  # when the monotonic clock stood at zero, by wall time
        self._doors: list[tuple[Door, Any, Any]] = []

    def join_pipeline(self, pipeline: Door) -> None:
        """Let AWS requests be logged while there are logs."""
        self._join(pipeline, LoggedRequest)

    def join_doors(self, doors: Door) -> None:
        """Let requests at vendors' doors be logged while there are logs."""
        self._join(doors, LoggedDoorRequest)

    def _join(self, door: Door, logged: Any) -> None:
        self._doors.append((door, door.request, partial(logged, log=self)))
        self._switch()

    def take_up(self, stored: Iterable[StoredTerms]) -> None:
        """Log as these terms say from now on."""
        groups = (Group(one.account, one.region, one.terms) for one in stored if read(one.terms).delivers)
        self.groups = {(group.account, group.region): group for group in groups}
        self._switch()

    def _switch(self) -> None:
        for door, plain, logged in self._doors:
            door.request = logged if self.groups else plain

    def keep(self, request: Tapped) -> None:
        """The answer has left, as far as its reader wanted it: keep it, if its account keeps such.

        An entry is made at once: to hold on to requests and their calls for a batch's time costs the next ones more.
        """
        call, ring = request.call, self.ring
        if call is not None and not request.lost and call.operation.name in LOGGED:
            group = self.groups.get((call.caller.account, call.region))
            if group is not None:
                if not ring.held_bytes:
                    clock = call.app.clock
                    self._zero = clock.now().timestamp() - clock.monotonic()
                made = entry(request, call, self._zero + call.started_at)
                if ring.put((group, made), len(request.body) + request.size, request.held):
                    return
        ring.give_back(request.held)

    async def close(self) -> None:
        await self.ring.close()
        await self.spool.close()


async def write(spool: Spool, batch: list[Kept]) -> None:
    """Keep a batch; its entries are encoded beside the loop. Raises SpoolError, OSError."""
    await spool.write(partial(blocks, batch))


def blocks(batch: list[Kept]) -> dict[Group, Block]:
    """A block for each group of a batch."""
    found: dict[Group, list[Entry]] = {}
    for group, made in batch:
        found.setdefault(group, []).append(made)
    return {group: Block(encode(entries), len(entries)) for group, entries in found.items()}


def entry(request: Tapped, call: Call, at: float) -> Entry:
    """What is kept of a request that has been answered."""
    resolved, headers, used, pieces = call.resolved, call.headers, call.used, request.pieces
    return Entry(
        at,
        call.request_id,
        call.operation.name,
        call.scope["raw_path"],
        call.caller.arn,
        request.error,
        "" if resolved is None else resolved.route.kind,
        resolved is not None and ":inference-profile/" in resolved.resources[0],
        request.door,
        headers.get(b"x-amzn-bedrock-request-metadata", b""),
        headers.get(b"content-type", b""),
        None if used is None else counts(used),
        request.body,
        pieces[0] if len(pieces) == 1 else b"".join(pieces),
    )


def counts(used: Any) -> Counts:
    return used.input_tokens, used.output_tokens, used.cache_read_input_tokens, used.cache_write_input_tokens


class Tapped:
    """What both classes of requests do besides what they are.

    `pieces`: the answer's, `size` their bytes, of which `held` are counted by the ring: those of a long stream are
    while it lasts, those of other answers when they have left.
    """

    if not TYPE_CHECKING:
        __slots__ = ()  # the attributes are the Structs' own; a dictionary beside them costs a microsecond

    log: InvocationLog
    onward: Send
    send: Send
    call: Call | None
    body: bytes
    pieces: list[bytes]
    size: int
    held: int
    lost: bool
    error: str
    door: str

    async def serve(self) -> None:
        self.onward, self.send = self.send, self.tapped
        try:
            await super().serve()  # type: ignore[misc] # of the request
        finally:
            self.log.keep(self)

    def tapped(self, message: dict[str, Any]) -> Awaitable[None]:
        piece = message.get("body")
        if piece:
            self.pieces.append(piece)
            self.size += len(piece)
            if self.size > _LONG_BYTES:
                self.count()
        return self.onward(message)

    def count(self) -> None:
        """A long answer is counted as it grows; if it finds no room, it is given up."""
        if not self.lost and self.log.ring.hold(self.size - self.held):
            self.held = self.size
            return
        if not self.lost:
            self.log.ring.losses.memory += 1
            self.lost = True
        self.pieces.clear()

    async def refuse(self, fault: Fault) -> None:
        self.error = fault.name
        await super().refuse(fault)  # type: ignore[misc] # of the request


class LoggedRequest(Tapped, Request, eq=False):
    """A request of an AWS operation, whose bytes its log sees."""

    log: Any = None
    onward: Any = None
    body: bytes = b""
    pieces: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0
    held: int = 0
    lost: bool = False
    error: str = ""
    door: str = ""

    def handle(self, headers: dict[bytes, bytes], body: bytes) -> Coroutine[Any, Any, tuple[Call, Any]]:
        self.body = body
        return Request.handle(self, headers, body)


class LoggedDoorRequest(Tapped, DoorRequest, eq=False):
    """A request at a vendor's door, whose bytes its log sees. `door` is the path, which tells the bodies' shape."""

    log: Any = None
    onward: Any = None
    body: bytes = b""
    pieces: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0
    held: int = 0
    lost: bool = False
    error: str = ""
    door: str = ""

    def handle(self, headers: dict[bytes, bytes], body: bytes) -> Coroutine[Any, Any, Whole | Events]:
        self.body, self.door = body, self.scope["path"]
        # What was kept of an answer is no invocation.
        self.lost = self.scope["method"] != "POST" or "/responses/" in self.door
        return DoorRequest.handle(self, headers, body)


def open_log(settings: Settings, cipher: Cipher, notice: Notice) -> InvocationLog:
    """The invocation logs of a worker, with nothing to log yet; `notice` hears of what waits to be delivered."""
    table, losses = settings.file.logging, Losses()

    async def seal(group: Group, name: str, key: bytes) -> bytes:
        try:
            return await cipher.seal(group.account, PURPOSE, None, key, {"segment": name}, region=group.region)
        except (CipherError, StoreError) as error:
            raise SpoolError(f"a segment's key cannot be sealed: {type(error).__name__}") from error

    spool = Spool(settings.spool_path, table.spool_max_bytes, seal, losses, notice.give, durable=not settings.ephemeral)
    return InvocationLog(Ring(partial(write, spool), table.memory_max_bytes, losses), spool)
