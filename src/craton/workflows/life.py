"""What becomes of a run that raised: tried again, or failed with a message that a person can act on.

Owns the sorting of errors and the performing of one run. It must not know any kind of job, nor when a run that is to be
tried again is taken up.

    JobFailed, an AWS error that stays         the job fails with that message
    Later                                      taken up again after its time; the reason is shown until then
    throttled, 5xx, no connection, store away  tried again, however often it takes; kinds of jobs have their own ends
    anything else                              taken for a mistake of ours: tried three times, then the job fails
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import Any

from craton.aws.wire.faults import RETRYABLE, Fault
from craton.infra.cipher.port import CipherError, RootUnavailable
from craton.infra.jobs.hold import Hold
from craton.infra.jobs.lease import LeaseLost
from craton.infra.jobs.worker import MAX_CRASHES, MAX_MISTAKES, Again, Done, Outcome
from craton.infra.store.port import Unavailable
from craton.models.providers.transport import BadReply, TransportError
from craton.workflows.tools import Tools
from craton.workflows.workflow import Job, JobFailed, Later, Workflow

_PASSING_CODES = RETRYABLE | {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "Throttling"}
_CRASHED = (
    f"The job was ended after its worker process died {MAX_CRASHES} times in the middle of it. The server's log says "
    "how; a worker that was killed for its memory needs more of it, or smaller records."
)
_MISTAKE = "The job ended by an internal error ({}). The server's log has the details."


async def perform(hold: Hold, body: Workflow, tools: Tools) -> Outcome:
    """Run a body, or have the job failed. Raises CancelledError, LeaseLost."""
    job = Job(hold, tools)
    message = _CRASHED if hold.run.crashes >= MAX_CRASHES else ""
    try:
        if not message:
            try:
                await body.run(job)
            except LeaseLost:
                raise
            except Later as later:
                return Again(str(later), after_s=later.after_s, counts=False)
            except Exception as error:  # whatever a body raises decides what becomes of its run
                message = _sorted(error, hold.run.failures)
        if message:
            await body.failed(job, message)
    except LeaseLost:
        raise
    except Passing as passing:
        return Again(str(passing))
    except JobFailed as gone:  # there is no row to write the failure to
        return Done(error=str(gone))
    except Exception as error:  # of writing the failure itself
        return Again(_said(error)) if is_passing(error) else _mistaken(error)
    return Done(error=message)


class Passing(Exception):
    """The reason may pass: the run is to be tried again."""


def _sorted(error: Exception, failures: int) -> str:
    """What the job fails with. Raises Passing where it does not."""
    if is_passing(error):
        raise Passing(_said(error)) from error
    known = message_of(error)
    if known is not None:
        return known
    traceback.print_exception(error)
    if failures + 1 < MAX_MISTAKES:
        raise Passing(type(error).__name__) from error
    return _MISTAKE.format(type(error).__name__)


def is_passing(error: BaseException) -> bool:
    """Whether the same may go well later, without anybody doing anything."""
    if isinstance(error, Fault):
        return error.retryable or error.http_status() >= 500
    if isinstance(error, BadReply):
        return False
    if isinstance(error, Unavailable | TransportError | RootUnavailable | ConnectionError | TimeoutError):
        return True
    status, code = _answered(error)
    if status is not None:
        return status >= 500 or status == 429 or code in _PASSING_CODES
    client = sys.modules.get("botocore.exceptions")  # an error of a client that was never loaded cannot be its
    return client is not None and isinstance(error, client.HTTPClientError | client.ConnectionError)


def message_of(error: BaseException) -> str | None:
    """The words for the job's owner; None for what was no one's intention."""
    if isinstance(error, JobFailed | CipherError):
        return str(error)
    if isinstance(error, Fault):
        return error.message
    status, _ = _answered(error)
    return None if status is None else str(error)


def _answered(error: BaseException) -> tuple[int | None, str]:
    """Status and code of an AWS error as boto3 raises it; None for any other error."""
    client = sys.modules.get("botocore.exceptions")
    if client is None or not isinstance(error, client.ClientError):
        return None, ""
    response: Mapping[str, Any] = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return int(status), str(response.get("Error", {}).get("Code", ""))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _mistaken(error: Exception) -> Again:
    traceback.print_exception(error)
    return Again(type(error).__name__)
