"""Regions of buckets: what a location constraint means, and account-regional names.

Any region's endpoint serves any bucket here; where one is made follows S3's rules nevertheless, so that a program which
works here works there. Source: S3 API reference, CreateBucket; user guide, "Namespaces for general purpose buckets".
"""

from __future__ import annotations

import re
from typing import Final

from craton.services.s3.faults import fault

# The oldest region has no name in location constraints, and the whole of Europe once was one.
FIRST_REGION: Final = "us-east-1"
_OLD_NAMES: Final = {"EU": "eu-west-1"}
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,12}){1,2}-\d{1,2}", re.ASCII)
OTHER = "The {region} location constraint is incompatible for the region specific endpoint this request was sent to."
NOT_VALID = "The specified location-constraint is not valid"
NAMESPACES: Final = ("account-regional", "global")


def region_of(asked_in: str, constraint: str | None) -> str:
    """Where a new bucket is to be. Raises IllegalLocationConstraintException, InvalidLocationConstraint."""
    region = _OLD_NAMES.get(constraint or "", constraint or FIRST_REGION)
    if asked_in not in (FIRST_REGION, region) or (constraint == FIRST_REGION != asked_in):
        text = OTHER.format(region=constraint or "unspecified")
        raise fault("IllegalLocationConstraintException", text)
    if constraint == FIRST_REGION or not _REGION.fullmatch(region):
        raise fault("InvalidLocationConstraint", NOT_VALID, LocationConstraint=constraint or "")
    return region


def check_namespace(namespace: str | None, name: str, account: str, region: str) -> None:
    """Raise InvalidNamespaceHeader for an account-regional name that does not end as such names must."""
    if namespace == NAMESPACES[0] and not name.endswith(f"-{account}-{region}-an"):
        text = "The bucket's name does not belong to the namespace that the request names"
        raise fault("InvalidNamespaceHeader", text, BucketName=name)
