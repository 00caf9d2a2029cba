"""From the text of a query to its commands, by recursive descent.

Owns the grammar: commands with bars between them, and expressions by precedence (or, and, not, comparisons, sums,
products, powers, signs). Source: CloudWatch Logs user guide, "CloudWatch Logs Insights language query syntax". Commands
that are not built (pattern, diff, anomaly, unnest, join, lookup, SOURCE …) are errors that name them. Of functions it
knows only which are none of records' figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from craton.features.logs.insights import syntax
from craton.features.logs.insights.functions import FUNCTIONS
from craton.features.logs.insights.scanner import BadQuery, Scanner

T = TypeVar("T")

MOST_COMMANDS = 100
MOST_LIMIT = 100_000
MOST_STATS = 2
_DEEPEST = 32
_MOST_OPERATIONS = 300
"""Signs between operands; `and` and `or` are not counted, since they do not nest."""
_ABSENT = frozenset(
    {"pattern", "diff", "anomaly", "unnest", "join", "lookup", "source", "filterindex", "logtype", "subquery", "tail"}
)
_COMPARED = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FUNCTION = re.compile(r"\s*\(")


def parse(query: str) -> syntax.Query:
    """Raises BadQuery."""
    return _Parser(query).query()


class _Parser:
    def __init__(self, query: str) -> None:
        self._scanner = Scanner(query)
        self._depth = self._operations = 0
        self._figures: list[syntax.Figure] | None = None  # while an item of stats is read
        self._made: dict[str, str] = {}  # columns of figures that have no other name than what was written
        self._commands: dict[str, Callable[[], syntax.Command]] = {
            "fields": self._fields,
            "display": self._display,
            "filter": self._filter,
            "where": self._filter,
            "parse": self._parse,
            "stats": self._stats,
            "sort": self._sort,
            "order": self._sort,
            "limit": self._limit,
            "head": self._limit,
            "dedup": self._dedup,
        }

    def query(self) -> syntax.Query:
        scanner, commands = self._scanner, list[syntax.Command]()
        if scanner.is_over():
            return syntax.Query(())
        scanner.took("|")
        while True:
            if len(commands) == MOST_COMMANDS:
                raise BadQuery("too many commands", scanner.next.start, scanner.next.end)
            start = scanner.next.start
            commands.append(self._command())
            if sum(isinstance(one, syntax.Stats) for one in commands) > MOST_STATS:
                raise BadQuery(f"a query can have at most {MOST_STATS} stats commands", start, scanner.behind)
            if scanner.is_over():
                return syntax.Query(tuple(commands))
            if scanner.took("|") is None:
                raise scanner.unexpected("'|'")

    def _command(self) -> syntax.Command:
        token = self._scanner.next
        word = token.text.lower()
        if token.kind != "name" or token.is_ticked:
            raise self._scanner.unexpected("a command")
        if word in _ABSENT:
            raise BadQuery(f"the command '{word}' is not supported", token.start, token.end)
        if word not in self._commands:
            raise self._scanner.unexpected("a command")
        self._scanner.take()
        return self._commands[word]()

    # --- commands ---

    def _fields(self) -> syntax.Fields:
        return syntax.Fields(tuple(self._listed(self._named)))

    def _display(self) -> syntax.Display:
        return syntax.Display(tuple(self._listed(self._named)))

    def _filter(self) -> syntax.Filter:
        return syntax.Filter(self._expression())

    def _sort(self) -> syntax.Sort:
        self._scanner.took_word("by")
        return syntax.Sort(tuple(self._listed(self._ordered)))

    def _ordered(self) -> tuple[syntax.Expression, bool]:
        expression = self._sum()
        return expression, self._scanner.took_word("asc", "desc") == "desc"

    def _limit(self) -> syntax.Limit:
        token = self._scanner.next
        if token.kind != "number" or not token.text.isdigit():
            raise self._scanner.unexpected("a number")
        if not 1 <= int(token.text[:9]) <= MOST_LIMIT:
            raise BadQuery(f"the limit must be between 1 and {MOST_LIMIT}", token.start, token.end)
        self._scanner.take()
        return syntax.Limit(int(token.text))

    def _dedup(self) -> syntax.Dedup:
        return syntax.Dedup(tuple(self._listed(self._sum)))

    def _parse(self) -> syntax.Parse:
        scanner = self._scanner
        form = scanner.regex()
        is_text = scanner.next.kind == "text"
        source: syntax.Expression = syntax.Field("@message")
        if form is None and not is_text:
            source = self._primary()
            form = scanner.regex()
        start = scanner.next.start
        if form is not None:
            names = tuple(form.groupindex)
            if len(names) != form.groups or not names:
                names = self._aliases()
                if len(names) != form.groups:
                    raise BadQuery("every group of the expression needs a name", start, scanner.behind)
            return syntax.Parse(source, form, names)
        if scanner.next.kind != "text":
            raise scanner.unexpected("a text or a regular expression")
        glob = scanner.take().text
        names = self._aliases()
        if glob.count("*") != len(names):
            raise BadQuery(f"{glob.count('*')} values are parsed, but {len(names)} names given", start, scanner.behind)
        return syntax.Parse(source, form_of(glob), names)

    def _aliases(self) -> tuple[str, ...]:
        if self._scanner.took_word("as") is None:
            raise self._scanner.unexpected("'as'")
        return tuple(self._listed(self._name))

    def _stats(self) -> syntax.Stats:
        figures: list[syntax.Figure] = []
        items = self._listed(lambda: self._item(figures))
        by = tuple(self._listed(self._named)) if self._scanner.took_word("by") else ()
        columns = tuple(dict.fromkeys([one.name for one in by] + [one.name for one in items]))
        self._made = {unspaced(name): name for name in columns}
        derived = tuple(one for one in items if one.expression != syntax.Field(one.name))
        return syntax.Stats(tuple(figures), by, derived, columns)

    def _item(self, figures: list[syntax.Figure]) -> syntax.Named:
        """A figure, or what is made of figures: those in it are added."""
        scanner, start, count = self._scanner, self._scanner.next, len(figures)
        self._figures, self._made = figures, {}
        expression = self._sum()
        self._figures = None
        if isinstance(expression, syntax.Field) and len(figures) == count:
            raise BadQuery(
                f"unexpected symbol found '{expression.name[:50]}', expected an aggregation function",
                start.start, start.end,
            )  # fmt: skip
        written = scanner.query[start.start : scanner.behind].strip()
        name = self._alias() or written
        if isinstance(expression, syntax.Field):  # one figure alone has the item's own name
            figures[-1] = msgspec.structs.replace(figures[-1], name=name)
            expression = syntax.Field(name)
        return syntax.Named(name, expression)

    def _figure(self, name: str, start: int, figures: list[syntax.Figure]) -> syntax.Field:
        """A figure within an item of stats, which stands there as a field."""
        scanner = self._scanner
        self._figures = None  # no figures of figures
        arguments: tuple[syntax.Expression, ...] = ()
        if scanner.took("*") is None and not (scanner.next.kind == "sign" and scanner.next.text == ")"):
            arguments = tuple(self._listed(self._sum))
        if scanner.took(")") is None:
            raise scanner.unexpected("')'")
        self._figures = figures
        place = (start, scanner.behind)
        hidden = f"{scanner.query[start : scanner.behind]} at {start}"
        figures.append(syntax.Figure(hidden, name, arguments, place))
        return syntax.Field(hidden)

    # --- parts of commands ---

    def _listed(self, part: Callable[[], T]) -> list[T]:
        parts = [part()]
        while self._scanner.took(","):
            parts.append(part())
        return parts

    def _name(self) -> str:
        if self._scanner.next.kind != "name":
            raise self._scanner.unexpected("a name")
        return self._scanner.take().text

    def _alias(self) -> str | None:
        return self._name() if self._scanner.took_word("as") else None

    def _named(self) -> syntax.Named:
        start = self._scanner.next.start
        expression = self._expression()
        written = expression.name if isinstance(expression, syntax.Field) else None
        return syntax.Named(
            self._alias() or written or self._scanner.query[start : self._scanner.behind].strip(), expression
        )

    # --- expressions ---

    def _expression(self) -> syntax.Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadQuery("the expression is nested too deeply", self._scanner.next.start, self._scanner.next.end)
        either = [self._both()]
        while self._scanner.took_word("or") or self._scanner.took("||"):
            either.append(self._both())
        self._depth -= 1
        return either[0] if len(either) == 1 else syntax.Operation("or", tuple(either))

    def _both(self) -> syntax.Expression:
        parts = [self._negated()]
        while self._scanner.took_word("and") or self._scanner.took("&&"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else syntax.Operation("and", tuple(parts))

    def _negated(self) -> syntax.Expression:
        count = 0
        while self._scanner.took_word("not") or self._scanner.took("!"):
            count += 1
        found = self._compared()
        return syntax.Operation("not", (found,)) if count % 2 else found

    def _compared(self) -> syntax.Expression:
        found, scanner = self._sum(), self._scanner
        while True:
            if (sign := scanner.took(*_COMPARED)) is not None:
                self._count()
                found = syntax.Operation(_COMPARED[sign], (found, self._sum()))
            elif scanner.took("=~"):
                self._count()
                found = self._like(found)
            elif (word := scanner.took_word("like", "in", "not")) is not None:
                is_not = word == "not"
                word = scanner.took_word("like", "in") if is_not else word
                if word is None:
                    raise scanner.unexpected("'like' or 'in'")
                self._count()
                test = self._like(found) if word == "like" else self._among(found)
                found = syntax.Operation("not", (test,)) if is_not else test
            else:
                return found

    def _like(self, operand: syntax.Expression) -> syntax.Like:
        form = self._scanner.regex()
        if form is not None:
            return syntax.Like(operand, form)
        if self._scanner.next.kind != "text":
            raise self._scanner.unexpected("a text or a regular expression")
        return syntax.Like(operand, self._scanner.take().text)

    def _among(self, operand: syntax.Expression) -> syntax.Among:
        close = {"[": "]", "(": ")"}.get(self._scanner.took("[", "(") or "")
        if close is None:
            raise self._scanner.unexpected("'['")
        values = tuple(self._listed(self._sum))
        if self._scanner.took(close) is None:
            raise self._scanner.unexpected(f"'{close}'")
        return syntax.Among(operand, values)

    def _sum(self) -> syntax.Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._power))

    def _chain(self, signs: tuple[str, ...], part: Callable[[], syntax.Expression]) -> syntax.Expression:
        found = part()
        while (sign := self._scanner.took(*signs)) is not None:
            self._count()
            found = syntax.Operation(sign, (found, part()))
        return found

    def _count(self) -> None:
        """Operations nest, so there is an end to them."""
        self._operations += 1
        if self._operations > _MOST_OPERATIONS:
            raise BadQuery("the query has too many operations", self._scanner.behind, self._scanner.behind)

    def _power(self) -> syntax.Expression:
        found = self._signed()
        return syntax.Operation("^", (found, self._signed())) if self._scanner.took("^") else found

    def _signed(self) -> syntax.Expression:
        is_negative = False
        while (sign := self._scanner.took("-", "+")) is not None:
            is_negative ^= sign == "-"
        found = self._primary()
        return syntax.Operation("-", (syntax.Literal(0), found)) if is_negative else found

    def _primary(self) -> syntax.Expression:
        scanner, token = self._scanner, self._scanner.next
        if scanner.took("("):
            found = self._expression()
            if scanner.took(")") is None:
                raise scanner.unexpected("')'")
            return found
        if token.kind in ("sign", "end"):
            raise scanner.unexpected("an expression")
        scanner.take()
        if token.kind == "number":
            number = float(token.text)
            return syntax.Literal(int(number) if number.is_integer() and "e" not in token.text.lower() else number)
        if token.kind == "text":
            return syntax.Literal(token.text)
        if token.kind == "span":
            return syntax.Period(int(token.text))
        if token.is_ticked or _FUNCTION.match(scanner.query, token.end) is None:
            return self._field(token.text, token.start, token.end)
        return self._calling(token.text, token.start)

    def _field(self, name: str, start: int, end: int) -> syntax.Field:
        if name.lower() in ("and", "or", "not", "as", "by", "like", "in"):
            raise BadQuery(f"unexpected symbol found '{name}'", start, end)
        return syntax.Field(name)

    def _calling(self, name: str, start: int) -> syntax.Calling | syntax.Field:
        scanner = self._scanner
        scanner.took("(")
        if self._figures is not None and name.lower() not in FUNCTIONS:
            return self._figure(name.lower(), start, self._figures)
        arguments: list[syntax.Expression] = []
        if not scanner.took(")"):
            if not (self._made and scanner.took("*")):
                arguments = self._listed(self._expression)
            if scanner.took(")") is None:
                raise scanner.unexpected("')'")
        made = self._made.get(unspaced(scanner.query[start : scanner.behind]))
        if made is not None:  # `sort count(*)` behind `stats count(*)`
            return syntax.Field(made)
        return syntax.Calling(name.lower(), tuple(arguments), (start, scanner.behind))


def unspaced(written: str) -> str:
    return "".join(written.split()).lower()


def form_of(glob: str) -> re.Pattern[str]:
    """A glob as an expression: each asterisk is a group, as short as the text behind it allows."""
    *parts, last = glob.split("*")
    form = "".join(f"{re.escape(part)}(.*?)" for part in parts)
    return re.compile(form + (re.escape(last) or "$"), re.DOTALL)
