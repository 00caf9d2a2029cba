"""Names of buckets and ids of their owners: which names there may be, and how an account is called in S3's answers.

Pure. Sources: S3 user guide, "General purpose bucket naming rules"; API reference, "Owner".
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from craton.services.s3.faults import fault

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_NOT_FIRST: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_NOT_LAST: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(name: str) -> None:
    """Raise InvalidBucketName unless a bucket may be made with this name."""
    bad = (
        not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name) or name.startswith(_NOT_FIRST) or name.endswith(_NOT_LAST)
    )
    if bad:
        raise fault("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


def owner_of(account: str) -> dict[str, str]:
    """The Owner (or Initiator) that an account is in answers: its canonical user id, made from the account's number."""
    return {"ID": hashlib.sha256(b"s3 canonical user " + account.encode()).hexdigest()}
