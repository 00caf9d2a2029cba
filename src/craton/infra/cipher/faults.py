"""The cipher's errors to a caller of Bedrock who wants what was sealed, or wants something sealed.

Owns their words: the key is named, never the content. A key that was disabled or deleted is the caller's account's own
doing, hence AccessDeniedException; bytes that were changed are the server's trouble. It must not know what is sealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import access_denied, internal
from craton.infra.cipher.port import KeyUnusable, NoSuchKey, RootUnavailable, Tampered


@contextmanager
def unreadable(what: str) -> Iterator[None]:
    """Raise AccessDeniedException for a key that cannot be used, InternalServerException for damaged bytes."""
    try:
        yield
    except (NoSuchKey, KeyUnusable) as error:
        raise access_denied(f"The {what} cannot be accessed: its KMS key cannot be used. {error}") from None
    except (Tampered, RootUnavailable, OSError) as error:
        raise internal(f"The {what} cannot be read: it was damaged, or sealed by another server.") from error
