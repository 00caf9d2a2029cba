"""One operation's request becomes one Struct: the meeting of a JSON body and the members bound outside it.

Requests go at two speeds. The fast one is a C pass over the body and a few attributes; only where it fails,
``validate`` walks the model for AWS's own message. This file must not know how responses look, nor any operation by
name.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire import bind as binding
from craton.aws.wire import faults, validate
from craton.aws.wire.compile import Types, attribute, from_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from craton.aws.wire.bind import Headers
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Member, Operation

_ABSENT: Any = object()


class Binding:
    """How one operation's request becomes one Struct. ``decode`` is the hot path."""

    def __init__(self, operation: Operation, types: Types, body_type: type[msgspec.Struct] | None) -> None:
        self._operation = operation
        self._slots = binding.slots(operation)
        self._type = body_type or types.request(operation)
        self._custom = body_type is not None
        payload = operation.payload_input
        self._payload = payload
        shape = operation.input_shape()
        has_body = any(member.location == "body" for member in shape.members.values()) if shape else False
        self._body: Callable[[bytes], Any] | None = None
        if has_body and payload is None:
            self._body = msgspec.json.Decoder(self._type, dec_hook=from_wire).decode
        elif payload is not None:
            self._body = _payload_reader(operation, payload, types)
        names = _field_names(self._type) if body_type else {}
        self._labels = tuple(
            (_name_of(slot.member, names), slot.key, _label_check(types.request_member(slot.member), slot.read))
            for slot in self._slots.labels
        )
        self._others = tuple(
            (
                _name_of(slot.member, names),
                slot.member,
                partial(msgspec.convert, type=types.request_member(slot.member), dec_hook=from_wire),
            )
            for slot in (*self._slots.queries, *self._slots.headers)
        )
        self._payload_name = _name_of(payload, names) if payload else ""
        self._defaults = {name: _default(self._type, name) for name, _, _ in self._others}

    def decode(self, labels: Mapping[str, str], query: bytes, headers: Headers, body: bytes) -> Any:
        """Return the request as the bound Struct.

        Args:
            labels: path labels, decoded once (``Match.labels``).
            query: the raw query string.
            headers: pairs of bytes, names in any case, or a dict of them.
            body: the whole body.

        Raises:
            Fault: ValidationException with every broken constraint, or SerializationException for what is not JSON.
        """
        try:
            if self._payload is None:
                request = self._body(body or b"{}") if self._body else self._type()
                for name, key, check in self._labels:
                    setattr(request, name, check(labels[key]))
                if self._others:
                    for name, value in self._bound(query, headers):
                        setattr(request, name, value)
                return request
            return self._with_payload(labels, query, headers, body)
        except (ValueError, RecursionError) as error:
            raise self._explain(labels, query, headers, body, error) from None

    def _with_payload(self, labels: Mapping[str, str], query: bytes, headers: Headers, body: bytes) -> Any:
        given = {name: check(labels[key]) for name, key, check in self._labels}
        if self._others:
            given.update(self._bound(query, headers))
        if self._body is not None:
            given[self._payload_name] = self._body(body)
        return self._type(**given)

    def _bound(self, query: bytes, headers: Headers) -> list[tuple[str, Any]]:
        """Return the values of query and header members; absent ones get their default, so no body can set them."""
        found = self._slots.values({}, query, headers, labelled=False)
        bound = []
        for name, member, check in self._others:
            value = found.get(member.name, _ABSENT)
            if value is not _ABSENT:
                bound.append((name, check(value)))
            elif member.required:
                raise ValueError(member.name)
            else:
                bound.append((name, self._defaults[name]))
        return bound

    def _explain(
        self, labels: Mapping[str, str], query: bytes, headers: Headers, body: bytes, error: Exception
    ) -> Fault:
        """Compose the answer to a request that the fast path refused for ``error``."""
        if isinstance(error, RecursionError):
            return faults.serialization("The request body is nested too deeply.")
        operation = self._operation
        shape = operation.input_shape()
        if shape is None:
            return faults.serialization("The request can not be parsed.")
        outside = {member.name for member in shape.members.values() if member.location != "body"}
        try:
            whole: dict[str, object] = self._plain_body(body) if self._body else {}
            whole = {name: value for name, value in whole.items() if name not in outside}
            whole.update(self._slots.values(labels, query, headers))
        except faults.Fault as fault:
            return fault
        return validate.explain(operation.model, shape, whole) or _in_aws_words(error)

    def _plain_body(self, body: bytes) -> dict[str, object]:
        payload = self._payload
        if payload is not None:
            target = self._operation.model.shapes[payload.shape]
            if target.event_stream:
                return {}
            if target.type in {"blob", "string"}:
                return {payload.name: body}
            return {payload.name: _json(body)} if body else {}
        parsed = _json(body) if body else {}
        if not isinstance(parsed, dict):
            raise faults.serialization("The request body must be a JSON object.")
        return parsed


def _label_check(kind: Any, read: Callable[[str], object]) -> Callable[[str], Any]:
    """Return the check of a label. The last accepted values are kept: model ids repeat, and their pattern is long.

    ``read`` turns text into what the model has in that place, such as a version's number.
    """
    check = partial(msgspec.convert, type=kind)
    return lru_cache(maxsize=256)(check if read is str else lambda text: check(read(text)))


def _payload_reader(operation: Operation, member: Member, types: Types) -> Callable[[bytes], Any] | None:
    """Return what turns the whole HTTP body into the payload member; None for streams, which are read apart."""
    shape = operation.model.shapes[member.shape]
    if shape.event_stream:
        return None
    kind = types.request_member(member)
    if shape.type == "blob":
        return partial(msgspec.convert, type=kind)
    if shape.type == "string":
        return lambda body: msgspec.convert(body.decode(), kind)
    decode = msgspec.json.Decoder(kind, dec_hook=from_wire).decode
    if member.required:
        return decode
    return lambda body: decode(body) if body else None


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise faults.serialization("The request body is nested too deeply.") from None
    except ValueError:
        raise faults.serialization("The request body can not be parsed as JSON.") from None


def _field_names(kind: type[msgspec.Struct]) -> dict[str, str]:
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))


def _name_of(member: Member, names: Mapping[str, str]) -> str:
    """Return the attribute for a bound member: by encoded name in a hand-written type, AWS's name else."""
    if not names:
        return attribute(member.name)
    try:
        return names[member.name]
    except KeyError:
        raise TypeError(f"the body type has no field for the member {member.name!r}") from None


def _default(kind: type[msgspec.Struct], name: str) -> object:
    for field in msgspec.structs.fields(kind):
        if field.name == name and field.default is not msgspec.NODEFAULT:
            return field.default
    return None


def _in_aws_words(error: Exception) -> Fault:
    """Turn msgspec's text into the form of AWS's, for what a hand-written type refuses and the model allows."""
    text, _, path = str(error).partition(" - at `$")
    place = ""
    for part in path.removesuffix("`").replace("[...]", ".value").replace("]", "").replace("[", ".").split("."):
        place += f".{int(part) + 1}.member" if part.isdigit() else f".{part}" if part else ""
    where = f" at '{place[1:]}'" if place else ""
    return faults.validation(f"1 validation error detected: Value{where} failed to satisfy constraint: {text}")
