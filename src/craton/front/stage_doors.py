"""The paths by which a test steers an ephemeral server: scripted rules, the calls that came, a cassette.

    GET, POST, DELETE   /craton/script/rules     the rules, more rules, none (or one: ?name=…)
    GET, DELETE         /craton/script/calls     the calls that scripts got; forget them
    GET, PUT, DELETE    /craton/cassette         what is recorded or played before every model

Unsigned, and for this machine alone (`doors`). A page in somebody's browser is of this machine too, so whatever a page
could send is refused: an Origin, a host that is not this machine's own name, a body that is not declared to be JSON.
State is one process's, so there must be one worker. Knows rules and cassettes, no AWS operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.config import ConfigError
from craton.front import body as http
from craton.front.doors import JSON, Door
from craton.models.providers.cassettes.taping import Taping
from craton.models.providers.scripts.rules import to_rules
from craton.models.providers.scripts.script import Script
from craton.models.providers.stage import Stage

_MAX_BODY_BYTES = 8 * 1024 * 1024
_OWN_HOSTS = (b"127.", b"localhost", b"[::1]")
_ONE_WORKER = "Scripts and cassettes are held by one process: start the server with --workers 1."

Query = dict[str, list[str]]


class StageDoors:
    """`scripts` gives the scripts of targets; their calls are listed with those of the stage."""

    def __init__(self, stage: Stage, scripts: Callable[[], list[Script]], workers: int) -> None:
        self.stage = stage
        self.scripts = scripts
        self.workers = workers
        table: dict[tuple[str, str], Callable[[Any, Query], object]] = {
            ("GET", "/craton/script/rules"): self.rules,
            ("POST", "/craton/script/rules"): self.add_rules,
            ("DELETE", "/craton/script/rules"): self.clear_rules,
            ("GET", "/craton/script/calls"): self.calls,
            ("DELETE", "/craton/script/calls"): self.clear_calls,
            ("GET", "/craton/cassette"): self.cassette,
            ("PUT", "/craton/cassette"): self.insert,
            ("DELETE", "/craton/cassette"): self.eject,
        }
        self.rows: dict[tuple[str, str], Door] = {key: self._door(key[0], act) for key, act in table.items()}

    def _door(self, method: str, act: Callable[[Any, Query], object]) -> Door:
        async def serve(scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
            try:
                headers = scope["headers"]
                self._check(headers, method)
                body = await http.read(receive, headers.get(b"content-length"), _MAX_BODY_BYTES)
                value = msgspec.json.decode(body) if body else None
                answer = act(value, parse_qs(scope["query_string"].decode("latin-1")))
                await http.answer(send, 200, [JSON], msgspec.json.encode(answer))
            except (ConfigError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                await _refuse(send, 400, str(error))
            except Fault as fault:
                await _refuse(send, fault.http_status(), fault.message)

        return serve

    def _check(self, headers: dict[bytes, bytes], method: str) -> None:
        if b"origin" in headers or not headers.get(b"host", b"localhost").lower().startswith(_OWN_HOSTS):
            raise Fault("AccessDeniedException", "This path is for programs of this machine, not for web pages.")
        kind = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
        if method in ("POST", "PUT") and kind != b"application/json":
            raise validation("The content type must be application/json.")
        if self.workers > 1:
            raise Fault("ConflictException", _ONE_WORKER, status=409)

    # --- scripts -----------------------------------------------------------------------------------------------

    def rules(self, _value: Any, _query: Query) -> object:
        script = self.stage.script
        return {"rules": script.rows(), "default": script.default, "unmatched": "pass" if script.passes else "refuse"}

    def add_rules(self, value: Any, _query: Query) -> object:
        return {"names": self.stage.script.add(to_rules(value))}

    def clear_rules(self, _value: Any, query: Query) -> object:
        names = query.get("name")
        if names is None:
            self.stage.script.clear_rules()
            return {"removed": True}
        removed = [self.stage.script.remove(name) for name in names]
        return {"removed": all(removed)}

    def calls(self, _value: Any, _query: Query) -> object:
        found = [call for script in (self.stage.script, *self.scripts()) for call in script.calls]
        return {"calls": sorted(found, key=lambda call: (call.at, call.number))}

    def clear_calls(self, _value: Any, _query: Query) -> object:
        for script in (self.stage.script, *self.scripts()):
            script.clear_calls()
        return {"removed": True}

    # --- cassettes ---------------------------------------------------------------------------------------------

    def cassette(self, _value: Any, _query: Query) -> object:
        found = self.stage.cassette
        if found is None:
            return {"cassette": None}
        return {
            "cassette": found.taping,
            "episodes": found.episodes,
            "played": found.played,
            "kept": found.kept,
            "unplayed": found.unplayed,
        }

    def insert(self, value: Any, query: Query) -> object:
        try:
            taping = msgspec.convert(value, Taping)
        except msgspec.ValidationError as error:
            raise ConfigError(str(error)) from None
        self.stage.insert(taping)
        return self.cassette(None, query)

    def eject(self, value: Any, query: Query) -> object:
        """What the cassette came to, as GET says it; then none is there."""
        told = self.cassette(value, query)
        self.stage.eject()
        return told


async def _refuse(send: http.Send, status: int, message: str) -> None:
    await http.answer(send, status, [JSON], msgspec.json.encode({"message": message}))
