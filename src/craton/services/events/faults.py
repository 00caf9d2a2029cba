"""EventBridge's errors, in its words.

Owns names and texts. Sources: botocore's model for the names; the API reference and answers seen in public for the texts.
It must not know how rules are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault, validation
from craton.infra.cipher.port import CipherError
from craton.infra.store.port import BadPageToken, Conflict, StoreError

INTERNAL = "This exception occurs due to unexpected causes."
BAD_TOKEN = "The provided NextToken is invalid."  # noqa: S105 - a message


def bad(name: str, reason: str = "") -> Fault:
    return validation(f"Parameter {name} is not valid." + (f" Reason: {reason}" if reason else ""))


def bad_pattern(reason: object) -> Fault:
    return Fault("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def no_rule(name: str, bus: str) -> Fault:
    return Fault("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {bus}.")


def no_bus(name: str) -> Fault:
    return Fault("ResourceNotFoundException", f"Event bus {name} does not exist.")


def bus_exists(name: str) -> Fault:
    return Fault("ResourceAlreadyExistsException", f"Event bus {name} already exists.")


def too_many() -> Fault:
    return Fault("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


@contextmanager
def as_faults() -> Iterator[None]:
    """Errors of the store and of the cipher in the names of this service."""
    try:
        yield
    except BadPageToken:
        raise validation(BAD_TOKEN) from None
    except Conflict:
        raise Fault(
            "ConcurrentModificationException", "There is concurrent modification on the rule or target."
        ) from None
    except (StoreError, CipherError) as error:
        raise Fault("InternalException", INTERNAL, status=500) from error
