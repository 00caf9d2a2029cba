"""CloudWatch Logs' errors, in its words.

Owns names and texts. Sources: botocore's model for the names; the API reference and answers seen in public for the
texts. It must not know how groups are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault, internal
from craton.infra.cipher.faults import unreadable
from craton.infra.series.port import NoSuchSeries, SeriesExists
from craton.infra.store.port import BadPageToken, Conflict, InDoubt, NotFound, StoreError

NO_GROUP = "The specified log group does not exist."
NO_STREAM = "The specified log stream does not exist."
GROUP_EXISTS = "The specified log group already exists"
STREAM_EXISTS = "The specified log stream already exists"
BAD_TOKEN = "The specified nextToken is invalid."  # noqa: S105 - a message
UNAVAILABLE = "The service cannot complete the request."


def invalid(text: str) -> Fault:
    return Fault("InvalidParameterException", text)


def broken(value: object, place: str, constraint: str) -> Fault:
    """A member whose rule is not in the service model, in the words of those whose rule is."""
    return invalid(
        f"1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: {constraint}"
    )


def missing(text: str) -> Fault:
    return Fault("ResourceNotFoundException", text)


def exists(text: str) -> Fault:
    return Fault("ResourceAlreadyExistsException", text)


def limit_exceeded() -> Fault:
    return Fault("LimitExceededException", "Resource limit exceeded.")


def aborted() -> Fault:
    return Fault("OperationAbortedException", "A conflicting operation is currently in progress on this log group.")


@contextmanager
def as_faults() -> Iterator[None]:
    """Errors of the store, of series and of the cipher in the names of this service."""
    try:
        with unreadable("log group"):
            yield
    except NoSuchSeries:
        raise missing(NO_STREAM) from None
    except SeriesExists:
        raise exists(STREAM_EXISTS) from None
    except NotFound:
        raise missing(NO_GROUP) from None
    except BadPageToken:
        raise invalid(BAD_TOKEN) from None
    except Conflict:
        raise aborted() from None
    except InDoubt as error:
        raise internal() from error
    except StoreError as error:  # a full disk is one: nothing was kept, and the caller may come again
        raise Fault("ServiceUnavailableException", UNAVAILABLE, status=503) from error
