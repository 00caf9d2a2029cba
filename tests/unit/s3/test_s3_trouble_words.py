"""What goes wrong beneath S3, in S3's words: the ports' errors become codes that SDKs know what to do with."""

from __future__ import annotations

import pytest

from craton.aws.wire.faults import Fault
from craton.infra.blobs.port import BlobDamaged, BlobsFull, BlobsUnavailable
from craton.infra.cipher.port import Tampered
from craton.infra.store.port import AlreadyExists, Conflict, Full, NotFound, StoreError, Unavailable
from craton.services.s3.trouble import as_s3


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BlobsFull, "InsufficientStorage", 507),
        (BlobsUnavailable, "ServiceUnavailable", 503),
        (BlobDamaged, "InternalError", 500),
        (Tampered, "InternalError", 500),
        (Full, "InsufficientStorage", 507),
        (Unavailable, "ServiceUnavailable", 503),
        (StoreError, "InternalError", 500),
        (AlreadyExists, "OperationAborted", 409),
        (Conflict, "OperationAborted", 409),
        (NotFound, "OperationAborted", 409),
    ],
)
def test_every_failure_has_a_code_of_s3s(error: type[Exception], code: str, status: int) -> None:
    """The cause is kept for the log, and nothing of its text is shown."""
    raised = error.__new__(error)
    raised.args = ("a secret place",)
    with pytest.raises(Fault) as caught, as_s3():
        raise raised
    assert (caught.value.name, caught.value.http_status()) == (code, status)
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is raised
