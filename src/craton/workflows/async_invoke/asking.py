"""A model asked through the gateway until it answers, or until it is clear that it will not.

Owns the pauses between tries. The errors that are left fail the invocation with the model's own message. It must not
know what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from craton.aws.access.credentials import Principal
from craton.models.providers.transport import TransportError
from craton.workflows.batch.asking import message_of, passing
from craton.workflows.tools import Answer, ModelCaller
from craton.workflows.workflow import Job, JobFailed

_GOOD = 200
_BUSY = frozenset({429, 503})
TRIES = 12
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.25, 30.0


async def answered(models: ModelCaller, model_id: str, body: bytes) -> tuple[bytes, Mapping[bytes, bytes]]:
    """The model's reply and its headers. Raises JobFailed; TransportError where the gateway stays away."""
    pause_s, left = _PAUSE_FIRST_S, TRIES
    while True:
        left -= 1
        try:
            answer = await models.invoke(model_id, body)
        except TransportError:
            if not left:
                raise
        else:
            if answer[0] == _GOOD:
                return answer[2], answer[1]
            if not left or not worth(answer):
                raise JobFailed(message_of(answer[2]) or f"The model answered with the status {answer[0]}.")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _PAUSE_MAX_S)


def worth(answer: Answer) -> bool:
    """Whether the next answer may be another."""
    return answer[0] in _BUSY or passing(answer)


def models_of_account(job: Job, model_id: str) -> ModelCaller:
    """The gateway's models as the account asks them, for this one model alone: what the caller may ask is another."""
    allow = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": f"arn:*:bedrock:*:*:*/{model_id}"}
    account = Principal(
        account=job.account,
        arn=f"arn:aws:iam::{job.account}:root",
        kind="root",
        user_id=job.account,
        session_policies=(msgspec.json.encode({"Version": "2012-10-17", "Statement": [allow]}).decode(),),
        source_identity="bedrock.amazonaws.com",
    )
    return job.tools.models(job.tools.on_behalf(account))
