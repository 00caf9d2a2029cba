"""What may go wrong beneath S3 (the store, the blobs, the keys) in S3's names. It must not know operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault
from craton.infra.blobs.port import BlobError, BlobsFull, BlobsUnavailable
from craton.infra.cipher.port import KeyUnusable, NoSuchKey, RootUnavailable, Tampered
from craton.infra.store.port import AlreadyExists, Conflict, Full, NotFound, StoreError, Unavailable

FULL = "There is no room left on the disk of this server. Nothing was changed."
AWAY = "Reduce your request rate."
AT_ONCE = "A conflicting conditional operation is currently in progress against this resource. Please try again."
BROKEN = "We encountered an internal error. Please try again."
DAMAGED = "The object cannot be read: what is kept of it was damaged, or sealed by another server."


@contextmanager
def as_s3() -> Iterator[None]:
    """Raise Fault for the errors of the ports: no text of theirs but names of keys is shown."""
    try:
        yield
    except (BlobsFull, Full) as error:
        # 507 is repeated by no SDK: the same request would find the same disk.
        raise Fault("InsufficientStorage", FULL, status=507) from error
    except (BlobsUnavailable, Unavailable) as error:
        raise fault("ServiceUnavailable", AWAY) from error
    except (AlreadyExists, Conflict, NotFound) as error:  # another request changed the same row just now
        raise fault("OperationAborted", AT_ONCE) from error
    except NoSuchKey as error:
        raise kms("NotFoundException", f"{error}") from None
    except KeyUnusable as error:
        name = "DisabledException" if error.state == "Disabled" else "KMSInvalidStateException"
        raise kms(name, f"{error}") from None
    except (BlobError, Tampered) as error:
        raise fault("InternalError", DAMAGED) from error
    except (StoreError, RootUnavailable) as error:
        raise fault("InternalError", BROKEN) from error


def kms(name: str, message: str) -> Fault:
    """An error of KMS as S3 hands it on."""
    return Fault(f"KMS.{name}", message, status=400)
