"""Meta's Llama, the schema of `meta.llama*`: one prompt with its chat template inside, one text as the answer.

Owns: bodies, replies and chunks (all of one shape), the templates of Llama 2, 3 and 4, and images, which stand beside
the prompt and are marked in it. The template that is written goes by the target's name, or by its quirk `template`
(`llama2`, `llama3`, `llama4`). The schema has no stop sequences. Sources: reference invoke-bodies.md; Meta's pages of
prompt formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.models.canon.content import ContentBlock, ImageBlock, ImageFormat, MediaSource, Message
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Ledger, Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_chunk, decode_native, decode_reply, malformed
from craton.models.dialects.prompt_template import (
    Template,
    header_template,
    instruction_template,
    read_prompt,
    system_blocks,
)
from craton.models.dialects.text_pieces import (
    Piece,
    PieceReader,
    PieceWriter,
    counts,
    prompt_tokens,
    read_stop,
    write_stop,
)
from craton.models.dialects.turns import Turn, config_or_none, drop_structure, reply_text, said, system_text

_BEGIN = "<|begin_of_text|>"
_IMAGE = "<|image|>"
LLAMA_2 = instruction_template(" </s><s>", ("<<SYS>>\n", "\n<</SYS>>\n\n"))
LLAMA_3 = header_template(
    "<|start_header_id|>", "<|end_header_id|>", ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"), _BEGIN
)
LLAMA_4 = header_template("<|header_start|>", "<|header_end|>", ("<|eot|>", "<|eom|>", "<|end_of_text|>"), _BEGIN)
_TEMPLATES = {"llama2": LLAMA_2, "llama4": LLAMA_4, "llama3": LLAMA_3}

_MAGIC: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
)


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_gen_len: Annotated[int, Meta(ge=1, le=8192)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    images: list[bytes] | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Reply(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """A reply, and a chunk of a stream: `stop_reason` is null until the last."""

    generation: str = ""
    prompt_token_count: int | None = None
    generation_token_count: int | None = None
    stop_reason: str | None = None
    metrics: InvocationMetrics | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode

FIELDS = Schema(
    known=frozenset({"images"}),
    names={"top_p": ("top_p",), "temperature": ("temperature",), "max_tokens": ("max_gen_len",)},
    translate={},
)


class MetaLlama:
    name = "meta.llama"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        system, turns = read_prompt(native.prompt, LLAMA_3, LLAMA_4, LLAMA_2)
        config = InferenceConfig(native.max_gen_len, native.temperature, native.top_p)
        return ConverseRequest(
            messages=_read_turns(turns, [_read_image(*image) for image in enumerate(native.images or ())]),
            system=system_blocks(system),
            inference_config=config_or_none(config),
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        drop_structure(request, out.ledger)
        images: list[bytes] = []
        turns = [
            Turn(message.role, _write_content(message, f"messages.{index}.content", images, out.ledger))
            for index, message in enumerate(request.messages or ())
        ]
        body: dict[str, Any] = {"prompt": _template(out).write(system_text(request.system, out.ledger), turns)}
        config = request.inference_config or InferenceConfig()
        values = {"max_gen_len": config.max_tokens, "temperature": config.temperature, "top_p": config.top_p}
        body |= {name: value for name, value in values.items() if value is not None}
        if config.stop_sequences:
            out.ledger.drop("inferenceConfig.stopSequences")
        if images:
            body["images"] = images
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        reason = read_stop(native.stop_reason)
        used = usage(native.prompt_token_count or 0, native.generation_token_count or 0)
        return assistant_reply([ContentBlock(text=native.generation)], reason, used)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        return _encode(_generation(reply_text(reply), reply.stop_reason, reply.usage))

    def reader(self) -> PieceReader:
        return PieceReader(_take)

    def writer(self, shown: Shown) -> PieceWriter:
        """Both counts come on the last chunk: before the end none is known."""
        rest = b',"prompt_token_count":null,"generation_token_count":null,"stop_reason":null}'
        return PieceWriter(b'{"generation":', rest, lambda reason, used: _generation("", reason, used))


def _take(data: bytes) -> Piece:
    chunk = decode_chunk(_REPLY, data)
    if chunk.stop_reason is None:
        return Piece(chunk.generation, None, chunk.prompt_token_count, chunk.generation_token_count)
    given, answered = counts(chunk.metrics)
    return Piece(
        chunk.generation,
        read_stop(chunk.stop_reason),
        chunk.prompt_token_count if given is None else given,
        chunk.generation_token_count if answered is None else answered,
    )


def _generation(text: str, reason: StopReason, used: Usage) -> dict[str, Any]:
    return {
        "generation": text,
        "prompt_token_count": prompt_tokens(used),
        "generation_token_count": used.output_tokens,
        "stop_reason": write_stop(reason),
    }


def _template(out: Outgoing) -> Template:
    named = str(out.quirks.get("template") or out.model).lower().replace("-", "").replace("_", "")
    return next((template for name, template in _TEMPLATES.items() if name in named), LLAMA_3)


def _read_image(index: int, data: bytes) -> ContentBlock:
    kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if kind is None:
        raise malformed(f"#/images/{index}: expected a PNG, JPEG, GIF or WebP image in base64")
    return ContentBlock(image=ImageBlock(kind, MediaSource(bytes=data)))


def _read_turns(turns: list[Turn], images: list[ContentBlock]) -> list[Message]:
    """Each image where the prompt marks it; those without a mark before the last turn's text."""
    left = iter(images)
    messages = [
        Message(role, list(_read_content(text, left)) if images else [ContentBlock(text=text)]) for role, text in turns
    ]
    messages[-1].content[:0] = left
    return messages


def _read_content(text: str, left: Iterator[ContentBlock]) -> Iterator[ContentBlock]:
    for place, part in enumerate(text.split(_IMAGE)):
        if place:
            yield from (image for image in (next(left, None),) if image is not None)
        if part.strip() or part == text:
            yield ContentBlock(text=part)


def _write_content(message: Message, path: str, images: list[bytes], ledger: Ledger) -> str:
    written = ""
    for index, block in enumerate(message.content):
        data = block.image.source.bytes if block.image is not None else None
        if data is not None:
            images.append(data)
            written += _IMAGE
            continue
        text = block.text if block.text is not None else said(block, f"{path}.{index}", ledger)
        if text is not None:
            written += f"\n{text}" if written and not written.endswith(_IMAGE) else text
    return written
