"""Lambda's own errors, with its words.

Owns names and texts. Statuses come from the service's model. The errors that all services share are `aws.wire.faults`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault
from craton.infra.blobs.port import BlobError
from craton.infra.cipher.port import CipherError
from craton.infra.store.port import AlreadyExists, Conflict, NotFound, StoreError

_USER = {"Type": "User"}
BAD_QUALIFIER = "The derived qualifier from the function name does not match the specified qualifier."
WRONG_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
    "latest Revision Id"
)


def invalid(message: str) -> Fault:
    return Fault("InvalidParameterValueException", message, fields=_USER)


def missing(message: str) -> Fault:
    return Fault("ResourceNotFoundException", message, fields=_USER)


def no_function(arn: str) -> Fault:
    return missing(f"Function not found: {arn}")


def no_alias(arn: str) -> Fault:
    return missing(f"Cannot find alias arn: {arn}")


def no_policy() -> Fault:
    return missing("The resource you requested does not exist.")


def conflict(message: str) -> Fault:
    return Fault("ResourceConflictException", message, fields=_USER)


def wrong_revision() -> Fault:
    return Fault("PreconditionFailedException", WRONG_REVISION, fields=_USER)


def broken(error: Exception) -> Fault:
    """What is the server's own trouble; the cause is told to nobody but the log."""
    fault = Fault("ServiceException", "The service encountered an internal error.", fields={"Type": "Service"})
    fault.__cause__ = error
    return fault


@contextmanager
def as_faults() -> Iterator[None]:
    """The errors of what things are kept with, in Lambda's words."""
    try:
        yield
    except AlreadyExists as error:
        raise conflict("The resource already exists.") from error
    except NotFound as error:
        raise missing("The resource you requested does not exist.") from error
    except Conflict:
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for this resource."
        ) from None
    except (StoreError, BlobError, CipherError, OSError) as error:
        raise broken(error) from error
