"""CloudWatch's errors, under the names that the query protocol gave them, in its words.

Sources: botocore's model for the names; the API reference and answers seen in public for the texts. It must not know how
metrics are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault, internal
from craton.infra.series.metrics_index import TooMany
from craton.infra.store.port import BadPageToken, InDoubt, StoreError


def invalid(text: str) -> Fault:
    return Fault("InvalidParameterValue", text, status=400)


def bad_value(value: object, place: str) -> Fault:
    return invalid(f"The value {value} for parameter {place} is invalid.")


def too_long(place: str, most: int) -> Fault:
    return invalid(f"The collection {place} must not have a size greater than {most}.")


def combination(text: str) -> Fault:
    return Fault("InvalidParameterCombination", text, status=400)


def both(one: str, other: str) -> Fault:
    return combination(f"The parameters {one} and {other} are mutually exclusive and you have specified both.")


def missing(place: str) -> Fault:
    return Fault("MissingParameter", f"The parameter {place} is required.", status=400)


def bad_token() -> Fault:
    return Fault("InvalidNextToken", "The next token specified is invalid.", status=400)


@contextmanager
def as_faults() -> Iterator[None]:
    """Errors of the store in the names of this service."""
    try:
        yield
    except TooMany:
        raise Fault("LimitExceeded", "The account has reached its limit of metrics.", status=400) from None
    except BadPageToken:
        raise bad_token() from None
    except InDoubt as error:
        raise internal() from error
    except StoreError as error:  # a full disk is one: nothing was kept, and the caller may come again
        raise Fault("ServiceUnavailable", "The service cannot complete the request.", status=503) from error
