"""KMS's errors, in its words.

Owns names and texts. Sources: botocore's model for the names; the KMS API reference and answers seen in public for the
texts. It must not know how a key is found or judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault, internal
from craton.infra.cipher.port import KeyUnusable, NoSuchKey, RootUnavailable, Tampered
from craton.infra.store.port import Conflict, StoreError

NO_CIPHERTEXT = "The ciphertext is invalid."
WRONG_KEY = "The key ID in the request does not identify a CMK that can perform this operation."
DRY_RUN = "The request would have succeeded, but the DryRun option is set."
LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."
_STATES = {"PendingDeletion": "pending deletion", "Enabled": "enabled", "Disabled": "disabled"}


def not_found(text: str) -> Fault:
    return Fault("NotFoundException", text)


def no_key(arn: str) -> Fault:
    return not_found(f"Key '{arn}' does not exist")


def no_alias(arn: str) -> Fault:
    return not_found(f"Alias {arn} is not found.")


def bad_id(name: str) -> Fault:
    return not_found(f"Invalid keyId '{name[:256]}'")


def disabled(arn: str) -> Fault:
    return Fault("DisabledException", f"{arn} is disabled.")


def bad_state(arn: str, state: str) -> Fault:
    return Fault("KMSInvalidStateException", f"{arn} is {_STATES.get(state, state)}.")


def unsupported(text: str) -> Fault:
    return Fault("UnsupportedOperationException", text)


def validation(text: str) -> Fault:
    return Fault("ValidationException", text)


def invalid_ciphertext() -> Fault:
    return Fault("InvalidCiphertextException", NO_CIPHERTEXT)


def incorrect_key() -> Fault:
    return Fault("IncorrectKeyException", WRONG_KEY)


def malformed_policy(text: str) -> Fault:
    return Fault("MalformedPolicyDocumentException", text)


def limit_exceeded(text: str) -> Fault:
    return Fault("LimitExceededException", text)


def tag_error(text: str) -> Fault:
    return Fault("TagException", text)


def bad_marker() -> Fault:
    return Fault("InvalidMarkerException", "The marker is not valid for this listing.")


@contextmanager
def as_faults() -> Iterator[None]:
    """Errors of the store and of the cipher in KMS's names; what neither can do is the server's fault."""
    try:
        yield
    except NoSuchKey as error:
        raise no_alias(error.key) if ":alias/" in error.key else no_key(error.key) from None
    except KeyUnusable as error:
        raise disabled(error.key) if error.state == "Disabled" else bad_state(error.key, error.state) from None
    except Tampered:
        raise invalid_ciphertext() from None
    except Conflict as error:
        raise Fault("ConflictException", f"{error.arn} was changed by another request. Try again.") from None
    except (StoreError, RootUnavailable, OSError) as error:
        raise internal() from error
