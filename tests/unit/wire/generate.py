"""Draws values that botocore's own shapes allow; seeded, so a failure can be drawn again.

It reads botocore's model objects, not ours, so that a misreading of the model in Craton cannot hide itself here.
"""

from __future__ import annotations

import functools
import random
import re
import string
from datetime import UTC, datetime
from re import _constants as codes
from re import _parser as parser

import botocore.session

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
DEEPEST = 5
_PLAIN = string.ascii_letters + string.digits
# \p{…} has no Python form; these stand for classes that each pattern in use accepts.
_PROPERTIES = ((r"[^\p{C}]", "[a-z]"), (r"\P{C}", "[a-z]"), (r"\p{L}[", "[a-z]["), (r"\p{L}", "a-z"), (r"\p{M}", "0-9"),
               (r"\p{Z}", " "), (r"\p{N}", "0-9"))  # fmt: skip


@functools.cache
def service_model(name):
    """Return botocore's model of a service."""
    return botocore.session.get_session().get_service_model(name)


def all_operations():
    return [(service, operation) for service in SERVICES for operation in service_model(service).operation_names]


class Draw:
    """One stream of values. ``full`` is the chance that an optional member is there."""

    def __init__(self, seed, full):
        self.random = random.Random(seed)
        self.full = full

    def structure(self, shape, depth=0, skip=()):
        if shape.is_document_type:
            return self.document()
        if shape.is_tagged_union:
            # A union must end: past the usual depth, prefer a member that needs nothing further.
            names = sorted(shape.members, key=lambda name: _weight(shape.members[name]))
            name = names[0] if depth > DEEPEST else self.random.choice(names)
            return {name: self.value(shape.members[name], depth + 1)}
        drawn = {}
        for name, member in shape.members.items():
            wanted = name in shape.required_members or (depth <= DEEPEST and self.random.random() < self.full)
            if wanted and name not in skip:
                drawn[name] = self.value(member, depth + 1)
        return drawn

    def value(self, shape, depth=0):
        draw = getattr(self, f"_{shape.type_name}", None)
        if shape.type_name == "structure":
            return self.structure(shape, depth)
        drawn = draw(shape, depth)
        # An empty label would leave a hole in the path, which no client can send.
        return drawn if drawn or shape.serialization.get("location") != "uri" else self.value(shape, depth)

    def document(self):
        return self.random.choice([{"a": [1, 2.5, None, True], "b": {"c": "d"}}, {"n": 3}, {}])

    def _size(self, shape, most=3):
        low = shape.metadata.get("min") or 0
        high = min(shape.metadata.get("max", most), max(most, low))
        return self.random.randint(low, max(low, high))

    def _list(self, shape, depth):
        # An empty list in a query is no list at all.
        least = max(shape.metadata.get("min") or 0, shape.serialization.get("location") == "querystring")
        size = least if depth > DEEPEST else max(least, self._size(shape, 2))
        return [self.value(shape.member, depth + 1) for _ in range(size)]

    def _map(self, shape, depth):
        size = (shape.metadata.get("min") or 0) if depth > DEEPEST else self._size(shape, 2)
        return {self.value(shape.key, depth + 1): self.value(shape.value, depth + 1) for _ in range(size)}

    def _string(self, shape, _depth):
        if shape.enum:
            return self.random.choice(shape.enum)
        low, high = shape.metadata.get("min") or 0, shape.metadata.get("max", 200)
        if "pattern" in shape.metadata:
            return matching(self.random, shape.metadata["pattern"], low, high)
        if shape.serialization.get("location") == "header":
            return "plain; q=1"[:high]
        text = self.random.choice(["", "plain", 'é€😀 "quoted"\\\n', "a/b:c%2F d+e&f=g"])
        text = text[:high]
        return text + "x" * (low - len(text))

    def _integer(self, shape, _depth):
        low, high = shape.metadata.get("min", -5), shape.metadata.get("max", 2**31 - 1)
        return self.random.choice([low, high, self.random.randint(low, high)])

    def _long(self, shape, _depth):
        return self.random.randint(shape.metadata.get("min", -(2**60)), 2**60)

    def _double(self, shape, _depth):
        low, high = shape.metadata.get("min", -10.5), shape.metadata.get("max", 10.5)
        return self.random.choice([float(low), float(high), self.random.uniform(low, high)])

    _float = _double

    def _boolean(self, _shape, _depth):
        return self.random.random() < 0.5

    def _blob(self, shape, _depth):
        return self.random.randbytes(max(self._size(shape, 20), shape.metadata.get("min") or 0))

    def _timestamp(self, _shape, _depth):
        return datetime.fromtimestamp(self.random.randint(0, 2_000_000_000), UTC)


def _weight(shape):
    """How much a member drags along: a simple value nothing, a structure much."""
    if shape.type_name in {"list", "map"}:
        return 10
    return 1 + len(shape.required_members) if shape.type_name == "structure" else 0


def matching(rng, pattern, low, high):
    """Draw a string of ``low`` to ``high`` characters that matches ``pattern`` as a whole."""
    for published, plain in _PROPERTIES:
        pattern = pattern.replace(published, plain)
    pattern = pattern.replace("/d{12}", "[0-9]{12}").replace("?::/d+", "?::[0-9]+")
    tree = parser.parse(pattern)
    whole = re.compile(pattern, re.ASCII)
    for attempt in range(3000):
        text = "".join(_draw(rng, tree, low if attempt % 3 == 0 else 2))
        if low <= len(text) <= high and whole.fullmatch(text):
            return text
    raise AssertionError(f"nothing drawn for {pattern!r} within {low}..{high}")


def _draw(rng, tree, least):
    for code, value in tree:
        yield from _DRAWS[code](rng, value, least)


def _draw_set(rng, members, _least):
    negated = members[0][0] is codes.NEGATE
    if negated:
        yield rng.choice([c for c in _PLAIN if not _in_set(members[1:], c)])
        return
    code, value = rng.choice(members)
    if code is codes.RANGE:
        # Printable where the range has printable ones: control characters cannot travel in headers.
        low, high = value
        yield chr(rng.randint(max(low, min(0x20, high)), min(high, max(0x7E, low))))
    elif code is codes.CATEGORY:
        yield from _draw_category(rng, value, 0)
    else:
        yield chr(value)


def _in_set(members, char):
    return any(
        (code is codes.LITERAL and ord(char) == value) or (code is codes.RANGE and value[0] <= ord(char) <= value[1])
        for code, value in members
    )


def _draw_category(rng, value, _least):
    yield {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "w"}.get(str(value)) or rng.choice(_PLAIN)


def _draw_repeat(rng, value, least):
    low, high, inner = value
    # Mostly short; now and then long enough for a minimum length.
    count = rng.randint(low, min(int(high), max(low + 2, least))) if int(high) > low else low
    for _ in range(count):
        yield from _draw(rng, inner, 2)


def _draw_nothing(_rng, _value, _least):
    yield from ()


_DRAWS = {
    codes.LITERAL: lambda rng, value, least: iter(chr(value)),
    codes.NOT_LITERAL: lambda rng, value, least: iter("a" if chr(value) != "a" else "b"),
    codes.ANY: lambda rng, value, least: iter(rng.choice(_PLAIN)),
    codes.IN: _draw_set,
    codes.CATEGORY: _draw_category,
    codes.BRANCH: lambda rng, value, least: _draw(rng, rng.choice(value[1]), least),
    codes.SUBPATTERN: lambda rng, value, least: _draw(rng, value[3], least),
    codes.MAX_REPEAT: _draw_repeat,
    codes.MIN_REPEAT: _draw_repeat,
    codes.AT: _draw_nothing,
    codes.ASSERT_NOT: _draw_nothing,
    codes.ASSERT: _draw_nothing,
}
