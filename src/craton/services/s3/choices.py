"""Members whose values S3 answers with an error of their own, where a body that fails its schema is MalformedXML.

Owns the model as the door decodes by it: those enumerations are plain texts in it, and their operations check them. For
regions there is another reason: botocore's list ends where its copy was made. It must not know what the values mean.
"""

from __future__ import annotations

from typing import Final

import msgspec

from craton.aws.wire.model import Service

OPEN: Final = ("BucketLocationConstraint", "Event")


def with_open_choices(service: Service) -> Service:
    """S3's model with the enumerations of `OPEN` as plain texts."""
    opened = {name: msgspec.structs.replace(service.shapes[name], enum=()) for name in OPEN}
    return msgspec.structs.replace(service, shapes={**service.shapes, **opened})
