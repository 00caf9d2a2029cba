"""Requests for property tests: conversations made of the parts that one schema can carry, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from craton.models.canon import content as c
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import ConverseReply, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Ledger, Outgoing, Shown

PNG = b"\x89PNG\r\n\x1a\n0000"
METRICS = InvocationMetrics(7, 3, 120, 40)

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
ids = st.from_regex(r"[a-zA-Z0-9_.:-]{1,20}", fullmatch=True)
blobs = st.binary(min_size=1, max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=3)
raw_objects = objects.map(lambda value: Raw(msgspec.json.encode(value)))
fractions = st.floats(0, 1)


def text() -> st.SearchStrategy[ContentBlock]:
    return texts.map(lambda value: ContentBlock(text=value))


def image() -> st.SearchStrategy[ContentBlock]:
    formats = st.sampled_from(["png", "jpeg", "gif", "webp"])
    return st.builds(lambda f, b: ContentBlock(image=c.ImageBlock(f, c.MediaSource(bytes=b))), formats, blobs)


def audio() -> st.SearchStrategy[ContentBlock]:
    formats = st.sampled_from(["wav", "mp3"])
    return st.builds(lambda f, b: ContentBlock(audio=c.AudioBlock(f, c.MediaSource(bytes=b))), formats, blobs)


def video() -> st.SearchStrategy[ContentBlock]:
    formats = st.sampled_from(["mp4", "mov"])
    return st.builds(lambda f, b: ContentBlock(video=c.VideoBlock(f, c.MediaSource(bytes=b))), formats, blobs)


def reasoning(*, signed: bool) -> st.SearchStrategy[ContentBlock]:
    signatures = texts if signed else st.none()
    return st.builds(
        lambda t, s: ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText(t, s))),
        texts,
        signatures,
    )


def tool_use() -> st.SearchStrategy[ContentBlock]:
    return st.builds(lambda i, n, v: ContentBlock(tool_use=c.ToolUseBlock(i, n, v)), ids, names, raw_objects)


def tool_result(
    parts: st.SearchStrategy[c.ToolResultContent], statuses: st.SearchStrategy[Any]
) -> st.SearchStrategy[ContentBlock]:
    contents = st.lists(parts, min_size=1, max_size=3)
    return st.builds(lambda i, p, s: ContentBlock(tool_result=c.ToolResultBlock(i, p, s)), ids, contents, statuses)


def turns(
    user: st.SearchStrategy[list[ContentBlock]], assistant: st.SearchStrategy[list[ContentBlock]]
) -> st.SearchStrategy[list[Message]]:
    """User and assistant by turns, the user first and last."""

    def weave(asked: list[list[ContentBlock]], answered: list[list[ContentBlock]]) -> list[Message]:
        woven = [Message("user", asked[0])]
        for answer, question in zip(answered, asked[1:], strict=False):
            woven += [Message("assistant", answer), Message("user", question)]
        return woven

    return st.builds(weave, st.lists(user, min_size=1, max_size=3), st.lists(assistant, max_size=2))


def tool_config(choices: Callable[[str], list[r.ToolChoice | None]]) -> st.SearchStrategy[r.ToolConfig | None]:
    def build(specs: list[tuple[str, Raw, str | None, bool | None]], pick: int) -> r.ToolConfig:
        tools = [r.Tool(tool_spec=r.ToolSpec(n, r.InputSchema(s), d, strict)) for n, s, d, strict in specs]
        options = choices(specs[0][0])
        return r.ToolConfig(tools, options[pick % len(options)])

    spec = st.tuples(names, raw_objects, st.none() | texts, st.none() | st.booleans())
    specs = st.lists(spec, min_size=1, max_size=2, unique_by=lambda one: one[0])
    return st.none() | st.builds(build, specs, st.integers(0, 5))


def every_choice(name: str) -> list[r.ToolChoice | None]:
    return [
        None,
        r.ToolChoice(auto=r.Chosen()),
        r.ToolChoice(any=r.Chosen()),
        r.ToolChoice(tool=r.ChosenTool(name)),
    ]


inference = st.builds(
    InferenceConfig,
    st.integers(1, 4096),
    st.none() | fractions,
    st.none() | fractions,
    st.none() | st.lists(texts, min_size=1, max_size=3),
)


def outgoing(model: str = "upstream", *, stream: bool = False, **quirks: object) -> Outgoing:
    return Outgoing(model, stream, Ledger(), quirks=dict(quirks))


def shown(model: str = "a.model-v1:0", request: ConverseRequest | None = None) -> Shown:
    return Shown(model, request or ConverseRequest(), "8a1c2b3d-0000-1111-2222-333344445555")


def asked(text_: str = "hi", **members: Any) -> ConverseRequest:
    return ConverseRequest(
        messages=[Message("user", [ContentBlock(text=text_)])],
        inference_config=InferenceConfig(max_tokens=10),
        **members,
    )


def answered(*blocks: ContentBlock, stop: Any = "end_turn", sequence: str | None = None) -> ConverseReply:
    return assistant_reply(list(blocks), stop, usage(7, 3), sequence)
