"""The questions of an evaluation, put to models through the gateway, each answer kept as soon as it is there.

Owns how a prompt becomes a Converse request, what of a reply is the answer, and that no question is asked twice: answers
lie in the job's spool by record and question. Patience with a busy model is the batch's (`workflows.batch.asking`). It
must not know metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from craton.features.batch.records import Outcome, Place
from craton.features.evaluation.scoring import Question, Who
from craton.workflows.batch.asking import Asking, message_of
from craton.workflows.batch.spool import Spool

GOOD = 200


class Refused(Exception):
    """The model's own error for this prompt, as the gateway words it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Block(msgspec.Struct, frozen=True):
    text: str = ""


class _Message(msgspec.Struct, frozen=True):
    content: tuple[_Block, ...] = ()


class _Output(msgspec.Struct, frozen=True):
    message: _Message = _Message()


class _Reply(msgspec.Struct, frozen=True):
    output: _Output = _Output()


_REPLY = msgspec.json.Decoder(_Reply)


class System(Protocol):
    """What answers and is no model: `retrieving.KnowledgeBase`."""

    async def ask(self, prompt: str) -> tuple[int, str]: ...


class Interview:
    """Asks the models of one job. `settings` are the members of a Converse request beside its messages, by model."""

    def __init__(
        self,
        models: Mapping[Who, Asking],
        settings: Mapping[Who, Mapping[str, Any]],
        spool: Spool,
        known: dict[Place, Outcome],
        system: System | None = None,
    ) -> None:
        """`system` is asked in the place of the subject, where it is no model."""
        self._system = system
        self._models = models
        self._settings = settings
        self._spool = spool
        self._known = known

    async def answer(self, unit: int, question: Question) -> str:
        """What the model says; `unit` is the record's number in the job. Raises Refused, JobFailed (access denied)."""
        kept = self._known.pop((unit, question.number), None)
        if kept is None:
            kept = await self._ask(unit, question)
            self._spool.add(kept)
        text = kept.line.decode()
        if not kept.good:
            raise Refused(kept.end, text)
        return text

    async def _ask(self, unit: int, question: Question) -> Outcome:
        """The answer in the spool's form, where `end` is the status."""
        if question.who == "subject" and self._system is not None:
            status, told = await self._system.ask(question.prompt)
            return Outcome(unit, question.number, status, told.encode(), status == GOOD)
        message = {"role": "user", "content": [{"text": question.prompt}]}
        asked = {"messages": [message], **self._settings[question.who]}
        status, _, body = await self._models[question.who].answer(msgspec.json.encode(asked))
        good = status == GOOD
        told = text_of(body) if good else message_of(body)
        if not good and question.who != "subject":
            told = f"The evaluator model gave an error: {told}"
        return Outcome(unit, question.number, status, told.encode(), good)


def text_of(body: bytes) -> str:
    """The text of a Converse reply; other blocks, such as reasoning, are none of the answer."""
    return "".join(block.text for block in _REPLY.decode(body).output.message.content)
