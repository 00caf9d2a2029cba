"""What became of one ask: it arrived, it arrived by other means, it was named as dropped, it was refused by name, or it
was lost.

Looks at three things only: what the vendor was sent, what the caller was told, and the headers of the ledger. Knows no
dialect and no provider.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.matrix import asks
from tests.matrix.asks import Ask, Feature
from tests.matrix.callers import DOOR, BrokenOff, Caller
from tests.matrix.hear import Heard
from tests.matrix.house import Answer
from tests.matrix.seen import Seen

Kind = Literal["yes", "emulated", "ledgered", "refused", "unsaid", "lost"]
_ENCODED_NOTE = base64.b64encode(asks.NOTE.encode()).decode()


@dataclass(frozen=True)
class Verdict:
    """`what`: the paths that the ledger names, the words of a refusal, or what is wrong (`lost`)."""

    kind: Kind
    what: str = ""


UNSAID = Verdict("unsaid")
YES = Verdict("yes")


@dataclass(frozen=True)
class Fact:
    """One thing that must arrive, and the words by which a ledger may name it."""

    name: str
    arrived: bool
    words: tuple[str, ...]


def facts(ask: Ask, seen: Seen, emulated: list[str]) -> Iterator[Fact]:
    """Everything that was said, and whether the vendor has it where it looks for it."""
    said = "\n".join(seen.said)
    yield Fact("the question", (asks.EARLIER if ask.results else asks.QUESTION) in said, ())
    if ask.system:
        yield Fact("the system prompt", asks.SYSTEM in "\n".join(seen.system), ("system", "instructions"))
    if ask.stop:
        yield Fact("the stop sequence", asks.STOP in seen.stops, ("stop",))
    if ask.limits:
        for name, given, value, words in zip(
            ("the limit of tokens", "the temperature", "top_p"),
            seen.limits,
            (asks.MAX_TOKENS, asks.TEMPERATURE, asks.TOP_P),
            (("token",), ("temperature",), ("topp", "top_p", ".p")),
            strict=True,
        ):
            yield Fact(name, given == value, words)
    if ask.tools:
        described, schema = seen.tools.get(asks.TOOL, ("", {}))
        yield Fact("the tool", asks.TOOL_TEXT in described and _has_member(schema, asks.TOOL_MEMBER), asks.TOOL_WORDS)
    if ask.forced:
        yield Fact("the demand for a call", seen.forced, ("choice",))
    if ask.results:
        yield Fact("the tool's result", _answered(seen), asks.TOOL_WORDS)
    if ask.schema:
        yield Fact("the schema", _has_member(seen.schema or {}, asks.ANSWER_MEMBER), ("format", "schema"))
    if ask.image:
        yield Fact("the image", asks.IMAGE in seen.images, ("image",))
    if ask.knob:
        words = ("top_k", "topk", ".k", "seed")
        yield Fact("the field", bool(seen.knobs) and seen.knobs.items() <= asks.KNOBS.items(), words)
    if ask.nobodys:
        yield Fact("the unknown field", asks.NOBODYS in seen.unknown, (asks.NOBODYS,))
    for wanted, as_file, as_text in ((ask.note, _ENCODED_NOTE, asks.NOTE), (ask.pdf, asks.PDF, asks.PAGE)):
        if wanted:
            texts = "\n".join([*seen.documents, *(seen.said if _named(emulated, ("document",)) else ())])
            yield Fact("the document", as_file in seen.documents or as_text in texts, ("document", "file"))


def _has_member(schema: dict[str, object], name: str) -> bool:
    members = schema.get("properties")
    return isinstance(members, dict) and name in members and schema.get("required") == [name]


def _answered(seen: Seen) -> bool:
    """The call with its name and arguments, and its result under the call's id."""
    called = [ident for ident, name, given in seen.calls if (name, given) == (asks.TOOL, asks.CALLED)]
    return any(ident in called and asks.RESULT in text for ident, text in seen.results)


def _named(paths: list[str], words: tuple[str, ...]) -> bool:
    return any(word in path.lower() for path in paths for word in words)


def judged(caller: Caller, feature: Feature, answer: Answer, seen: Seen | None) -> Verdict:
    """The verdict on a lenient answer."""
    if answer.status == 400 and seen is None:
        message = refusal(answer)
        if any(word in message.lower() for word in feature.words):
            return Verdict("refused", message)
        return Verdict("lost", f"refused without being named: {message}")
    if answer.status != 200 or seen is None:
        return Verdict("lost", f"status {answer.status}: {answer.body[:300]!r}")
    dropped, emulated = answer.dropped, answer.emulated
    for fact in facts(feature.ask, seen, emulated):
        if not fact.arrived and not _named(dropped, fact.words):
            return Verdict("lost", f"{fact.name} did not arrive, and only {dropped} is named")
    unknown = [name for name in seen.unknown if name != asks.NOBODYS or not feature.ask.nobodys]
    if unknown:
        return Verdict("lost", f"the vendor does not know {unknown}")
    wrong = told_wrong(caller, feature, answer, calls=feature.scene == "call" and asks.TOOL in seen.tools)
    if wrong:
        return Verdict("lost", wrong)
    if dropped:
        return Verdict("ledgered", ", ".join(dropped))
    return Verdict("emulated", ", ".join(emulated)) if emulated else YES


def told_wrong(caller: Caller, feature: Feature, answer: Answer, *, calls: bool) -> str:
    """What is wrong with what the caller was told; "" if nothing is."""
    try:
        heard = caller.hear(answer, stream=feature.ask.stream)
    except (AssertionError, BrokenOff, KeyError, IndexError, TypeError, ValueError) as error:
        return f"the answer cannot be read: {error!r} in {answer.body[:300]!r}"
    return _wrong_in(caller, heard, calls=calls)


def _wrong_in(caller: Caller, heard: Heard, *, calls: bool) -> str:
    if heard.used != asks.USED:
        return f"usage {heard.used}"
    if calls and heard.call != (asks.TOOL, asks.ANSWERED_CALL):
        return f"the call came as {heard.call}"
    if not calls and heard.text != caller.ear.before + asks.ANSWER:
        return f"the text came as {heard.text!r}"
    if heard.stop not in (caller.ear.calls if calls else caller.ear.ends):
        return f"the reason to stop came as {heard.stop!r}"
    return ""


def judged_strict(lenient: Verdict, answer: Answer, seen: Seen | None) -> str:
    """What is wrong in strict mode: a drop must be refused by its name, all else go as in lenient mode; "" if right."""
    if lenient.kind == "refused":
        return "" if answer.status == 400 and seen is None else f"strict mode answers {answer.status}"
    if lenient.kind == "ledgered":
        named = any(path in refusal(answer) for path in lenient.what.split(", ")) if answer.status == 400 else False
        return "" if named and seen is None else f"strict mode answers {answer.status}: {answer.body[:200]!r}"
    return "" if answer.status == 200 else f"strict mode answers {answer.status}: {answer.body[:200]!r}"


def refusal(answer: Answer) -> str:
    """The text of a refusal, in AWS's shape or a vendor's."""
    value = json.loads(answer.body)
    return str(value["message"] if "message" in value else value["error"]["message"])


# What a vendor's failure is to the caller: status, and the error's name in AWS's, OpenAI's and Anthropic's shapes.
_ERRORS = {
    "400": (400, ("ValidationException", "invalid_request_error", "invalid_request_error")),
    "429": (429, ("ThrottlingException", "requests", "rate_limit_error")),
    "500": (424, ("ModelErrorException", "server_error", "api_error")),
}
ERRORS = tuple(_ERRORS)


def wrong_error(caller: Caller, scene: str, answer: Answer, *, keeps_names: bool = False) -> str:
    """What is wrong with how a vendor's failure is told; "" if nothing is. `keeps_names`: the vendor is AWS itself,
    whose names reach the caller as they are.
    """
    status, (aws, openai, anthropic) = _ERRORS[scene]
    if keeps_names and scene == "500":
        status, aws = 500, "InternalServerException"
    if caller.door != DOOR:
        told, name = answer.headers.get("x-amzn-errortype", "").partition(":")[0], aws
    else:
        told = json.loads(answer.body)["error"]["type"]
        name = anthropic if "messages" in caller.path else openai
        status = 500 if scene == "500" else status
    if (answer.status, told) != (status, name):
        return f"the vendor's {scene} is told as {answer.status} {told}"
    return ""


def wrong_break(caller: Caller, answer: Answer) -> str:
    """What is wrong with how a stream ends whose upstream broke off; "" if the caller is told."""
    if answer.status != 200:
        return ""
    try:
        caller.hear(answer, stream=True)
    except BrokenOff as told:
        right = ("model_error", "api_error") if caller.door == DOOR else ("modelStreamErrorException",)
        return "" if str(told) in right else f"the break is told as {told}"
    except (AssertionError, KeyError, IndexError, TypeError, ValueError) as error:
        return f"the broken stream cannot be read: {error!r}"
    return "the stream ended as if it were whole"
