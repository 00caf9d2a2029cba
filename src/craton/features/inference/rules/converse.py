"""Rules of the Converse operations that the vendors' doors do not have: what Bedrock's API itself demands.

Anthropic takes two documents of one name and OpenAI a schema that is not strict; Converse does neither. Called for
conversations that are more than text. Texts: Bedrock's own where they are known (public reports of real answers), of
the same form where not.
"""

from __future__ import annotations

from collections.abc import Iterator

from craton.aws.wire.faults import validation
from craton.features.inference.fitting.structured import schema_of
from craton.features.inference.rules.form import CLAUDE, NO_FIELD
from craton.features.inference.rules.output_schema import check_answer, check_tool
from craton.models.canon.content import DocumentBlock, Message
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.capabilities import Capabilities

MAX_DOCUMENTS = 5
MAX_VIDEOS = 1
TOO_MANY_DOCUMENTS = f"You can't include more than {MAX_DOCUMENTS} documents in a request."
TOO_MANY_VIDEOS = f"You can't include more than {MAX_VIDEOS} video in a request."
SAME_NAME = "Messages can't contain duplicate document names. Rename the document and retry your request."
NO_CITATIONS = "This model doesn't support citations."
NO_CITATIONS_IN_RESULTS = "Citations are not supported in tool result documents."
CITED_FORMATS = "Unsupported document format. Only txt and pdf formats are supported when citations are enabled."
CITED_SCHEMA = CLAUDE + "output_config.format: structured outputs are not supported when citations are enabled."
FORMAT = "outputConfig.textFormat"
GUARDRAIL = "guardrailConfig"
_CITABLE = frozenset({"txt", "pdf"})


def check(request: ConverseRequest, able: Capabilities) -> None:
    """Raise the ValidationException that Bedrock gives; the first rule that is broken speaks."""
    messages = request.messages or []
    documents = [block.document for message in messages for block in message.content if block.document is not None]
    if documents:
        check_documents(documents)
    videos = sum(block.video is not None for message in messages for block in message.content)
    if videos > MAX_VIDEOS:
        raise validation(TOO_MANY_VIDEOS)
    cited = check_citations(documents, messages, able)
    schema = schema_of(request)
    if schema is not None:
        if not able.output_schema:
            raise validation(NO_FIELD.format(field=FORMAT))
        if cited:
            raise validation(CITED_SCHEMA)
        check_answer(schema.schema)
    if request.tool_config is not None and able.output_schema:
        for position, tool in enumerate(request.tool_config.tools):
            if tool.tool_spec is not None and tool.tool_spec.strict:
                check_tool(position, bytes(tool.tool_spec.input_schema.json))
    if request.guardrail_config is not None and not able.guardrails:
        raise validation(NO_FIELD.format(field=GUARDRAIL))


def check_documents(documents: list[DocumentBlock]) -> None:
    if len(documents) > MAX_DOCUMENTS:
        raise validation(TOO_MANY_DOCUMENTS)
    names = [document.name for document in documents]
    if len(set(names)) < len(names):
        raise validation(SAME_NAME)


def check_citations(documents: list[DocumentBlock], messages: list[Message], able: Capabilities) -> bool:
    """Whether any document is to be cited."""
    cited = [document for document in documents if wants_citations(document)]
    if cited and not able.citations:
        raise validation(NO_CITATIONS)
    if any(wants_citations(document) for document in in_results(messages)):
        raise validation(NO_CITATIONS_IN_RESULTS)
    for document in cited:
        if document.source.bytes is not None and document.format not in _CITABLE:
            raise validation(CITED_FORMATS)
    return bool(cited)


def wants_citations(document: DocumentBlock) -> bool:
    return document.citations is not None and document.citations.enabled


def in_results(messages: list[Message]) -> Iterator[DocumentBlock]:
    """Documents that tools gave."""
    for message in messages:
        for block in message.content:
            for part in block.tool_result.content if block.tool_result is not None else ():
                if part.document is not None:
                    yield part.document
