"""The input of CountTokens, in the canon's own blocks."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from craton.models.canon.content import Message, Part, Union
from craton.models.canon.request import SystemBlock, ToolConfig


class InvokeModelInput(Part):
    body: Annotated[bytes, Meta(max_length=25_000_000)]


class ConverseInput(Part):
    messages: list[Message] | None = None
    system: list[SystemBlock] | None = None
    tool_config: ToolConfig | None = None
    additional_model_request_fields: dict[str, Any] | None = None


class CountInput(Union):
    invoke_model: InvokeModelInput | None = None
    converse: ConverseInput | None = None


class CountTokensBody(Part):
    """`model_id` comes from the path."""

    input: CountInput
    model_id: str = ""
