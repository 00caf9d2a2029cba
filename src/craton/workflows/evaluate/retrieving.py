"""A knowledge base that is evaluated, asked through the gateway with the role's rights.

Owns how a turn becomes a Retrieve or a RetrieveAndGenerate, and what of the reply is kept. What may pass is waited for;
what does not is the answer to this turn, but for a right that the role lacks or a knowledge base that is gone, which end
the job. It must not know metrics.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from craton.features.evaluation.job import Rag, Subject
from craton.features.evaluation.rag_records import Output, Passage, Passages, Text
from craton.features.evaluation.rag_scoring import Asked, Said
from craton.workflows.workflow import JobFailed

GOOD, _THROTTLED, _ERRORS = 200, 429, 500
_ENDS = ("AccessDeniedException", "ResourceNotFoundException")
_PAUSE_FIRST_S, _PAUSE_MAX_S, _TRIES = 0.5, 30.0, 12


class KnowledgeBase:
    """Asks one knowledge base. `client` is boto3's of bedrock-agent-runtime; `most` bounds the questions at a time."""

    def __init__(self, client: Any, subject: Subject, rag: Rag, most: int) -> None:
        self._client, self._subject, self._rag = client, subject, rag
        self._room = asyncio.Semaphore(most)

    async def ask(self, prompt: str) -> tuple[int, str]:
        """The status, and a `Said` as JSON or the error's message. Raises JobFailed."""
        asked, pause_s = msgspec.json.decode(prompt, type=Asked), _PAUSE_FIRST_S
        for left in reversed(range(_TRIES)):
            try:
                async with self._room:
                    said = await asyncio.to_thread(self._said, asked)
            except ClientError as error:
                code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
                status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
                if code in _ENDS:
                    raise JobFailed(
                        f"The knowledge base {self._subject.identifier} cannot be used: {message}"
                    ) from None
                if not left or (status != _THROTTLED and status < _ERRORS):
                    return status, message
            else:
                return GOOD, msgspec.json.encode(said).decode()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)
        raise AssertionError

    def _said(self, asked: Asked) -> Said:
        return self._generated(asked) if self._rag.generates else self._retrieved(asked)

    def _retrieved(self, asked: Asked) -> Said:
        reply = self._client.retrieve(
            knowledgeBaseId=self._rag.config["knowledgeBaseId"],
            retrievalQuery={"text": asked.text},
            retrievalConfiguration=self._rag.config["knowledgeBaseRetrievalConfiguration"],
        )
        found = tuple(passage(one) for one in reply["retrievalResults"])
        name = self._subject.identifier
        return Said(Output(knowledge_base_identifier=name, retrieved_results=Passages(found)))

    def _generated(self, asked: Asked) -> Said:
        session = {"sessionId": asked.session} if asked.session else {}
        config = self._rag.config
        reply = self._client.retrieve_and_generate(
            input={"text": asked.text}, retrieveAndGenerateConfiguration=config, **session
        )
        citations = tuple(plain(reply.get("citations", [])))
        found = [one for citation in citations for one in citation.get("retrievedReferences", [])]
        passages = tuple(passage(one) for at, one in enumerate(found) if one not in found[:at])
        output = Output(
            text=reply["output"]["text"],
            model_identifier=config["knowledgeBaseConfiguration"]["modelArn"],
            knowledge_base_identifier=self._subject.identifier,
            retrieved_passages=Passages(passages),
            citations=citations,
        )
        return Said(output, reply.get("sessionId", ""))


def passage(found: dict[str, Any]) -> Passage:
    """A result of either operation; its name is where it lies."""
    place = found.get("location", {})
    uri = next((one["uri"] for one in place.values() if isinstance(one, dict) and "uri" in one), "")
    return Passage(Text(found.get("content", {}).get("text", "")), uri, plain(found.get("metadata", {})))


def plain(value: Any) -> Any:
    """The same of JSON's own kinds alone: metadata may have numbers and times of boto3's."""
    return msgspec.to_builtins(value)
