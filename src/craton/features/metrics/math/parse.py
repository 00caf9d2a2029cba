"""An expression of metric math as a tree.

Owns the grammar: numbers, texts, names, calls, lists in brackets, and the operators by how strongly they bind. It must
not know what functions do. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from craton.features.metrics.math.series import MathFault

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>\'[^\']*\'|\"[^\"]*\")|(?P<mark>&&|\|\||<=|>=|==|!=|[-+*/^<>(),\[\]!]))"
)
# Operators from the weakest to the strongest; those of a row bind alike, to the left.
BINDING: tuple[tuple[str, ...], ...] = (
    ("||", "OR"),
    ("&&", "AND"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
)
POWER = "^"
_DEEPEST = 40


class Constant(msgspec.Struct, frozen=True):
    value: float


class Quoted(msgspec.Struct, frozen=True):
    text: str


class Name(msgspec.Struct, frozen=True):
    name: str


class Listed(msgspec.Struct, frozen=True):
    items: tuple[Node, ...]


class Called(msgspec.Struct, frozen=True):
    """A function's call, or an operator with its operands."""

    name: str
    arguments: tuple[Node, ...]


Node = Constant | Quoted | Name | Listed | Called


def parse(expression: str) -> Node:
    """Raises MathFault."""
    reader = _Reader(list(_tokens(expression)))
    node = reader.operators(0)
    if reader.peek():
        raise MathFault(f"unexpected '{reader.peek()}'")
    return node


def names_in(node: Node) -> Iterator[str]:
    """The ids that an expression speaks of."""
    if isinstance(node, Name):
        yield node.name
    for inner in node.arguments if isinstance(node, Called) else node.items if isinstance(node, Listed) else ():
        yield from names_in(inner)


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(expression.rstrip())
    while at < end:
        found = _TOKEN.match(expression, at)
        if found is None:
            raise MathFault(f"unexpected character at position {at + 1}")
        at = found.end()
        yield found.lastgroup or "", found[found.lastgroup or 0]


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def take(self, mark: str) -> None:
        if self.peek() != mark:
            raise MathFault(f"expected '{mark}'" + (f" before '{self.peek()}'" if self.peek() else ""))
        self._at += 1

    def operators(self, level: int) -> Node:
        if level == len(BINDING):
            return self.power()
        self._depth += level == 0
        if self._depth > _DEEPEST:
            raise MathFault("the expression is nested too deeply")
        node = self.operators(level + 1)
        while self.peek().upper() in BINDING[level]:
            mark = self.peek().upper()
            self._at += 1
            node = Called(mark, (node, self.operators(level + 1)))
        self._depth -= level == 0
        return node

    def power(self) -> Node:
        if self.peek() in ("-", "!"):
            mark = self.peek()
            self._at += 1
            self._depth += 1
            if self._depth > _DEEPEST:
                raise MathFault("the expression is nested too deeply")
            inner = self.power()
            self._depth -= 1
            return Called("negated" if mark == "-" else "not", (inner,))
        node = self.atom()
        if self.peek() == POWER:
            self._at += 1
            return Called(POWER, (node, self.power()))
        return node

    def atom(self) -> Node:
        if self._at >= len(self._tokens):
            raise MathFault("the expression ends too early")
        kind, word = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Constant(float(word))
        if kind == "text":
            return Quoted(word[1:-1])
        if kind == "name":
            return Called(word.upper(), self.listed(")")) if self.opens("(") else Name(word)
        if word == "(":
            node = self.operators(0)
            self.take(")")
            return node
        if word == "[":
            return Listed(self.listed("]"))
        raise MathFault(f"unexpected '{word}'")

    def opens(self, mark: str) -> bool:
        if self.peek() != mark:
            return False
        self._at += 1
        return True

    def listed(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if not self.opens(closing):
            items.append(self.operators(0))
            while self.opens(","):
                items.append(self.operators(0))
            self.take(closing)
        return tuple(items)
