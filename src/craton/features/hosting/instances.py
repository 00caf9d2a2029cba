"""What an instance type of SageMaker's has: memory and accelerators, as a replica of an endpoint asks for them.

Owns the table. Source: AWS's pages "Amazon SageMaker AI pricing" and "Amazon EC2 instance types" (2025); types that are
not in it are unknown here. Must not know what runs on an instance.
"""

from __future__ import annotations

from typing import Final

import msgspec

_GIB: Final = 1 << 30
_PREFIX: Final = "ml."

# Memory in GiB of the sizes of a family, and its accelerators: from large on, each size is twice the one before.
_FAMILIES: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "t2": {"medium": (4, 0), "large": (8, 0), "xlarge": (16, 0), "2xlarge": (32, 0)},
    "t3": {"medium": (4, 0), "large": (8, 0), "xlarge": (16, 0), "2xlarge": (32, 0)},
    "m4": {"xlarge": (16, 0), "2xlarge": (32, 0), "4xlarge": (64, 0), "10xlarge": (160, 0), "16xlarge": (256, 0)},
    "m5": {
        "large": (8, 0), "xlarge": (16, 0), "2xlarge": (32, 0), "4xlarge": (64, 0), "12xlarge": (192, 0),
        "24xlarge": (384, 0),
    },
    "m6i": {
        "large": (8, 0), "xlarge": (16, 0), "2xlarge": (32, 0), "4xlarge": (64, 0), "8xlarge": (128, 0),
        "12xlarge": (192, 0), "16xlarge": (256, 0), "24xlarge": (384, 0), "32xlarge": (512, 0),
    },
    "m7i": {
        "large": (8, 0), "xlarge": (16, 0), "2xlarge": (32, 0), "4xlarge": (64, 0), "8xlarge": (128, 0),
        "12xlarge": (192, 0), "16xlarge": (256, 0), "24xlarge": (384, 0), "48xlarge": (768, 0),
    },
    "c5": {
        "large": (4, 0), "xlarge": (8, 0), "2xlarge": (16, 0), "4xlarge": (32, 0), "9xlarge": (72, 0),
        "18xlarge": (144, 0),
    },
    "c6i": {
        "large": (4, 0), "xlarge": (8, 0), "2xlarge": (16, 0), "4xlarge": (32, 0), "8xlarge": (64, 0),
        "12xlarge": (96, 0), "16xlarge": (128, 0), "24xlarge": (192, 0), "32xlarge": (256, 0),
    },
    "c7i": {
        "large": (4, 0), "xlarge": (8, 0), "2xlarge": (16, 0), "4xlarge": (32, 0), "8xlarge": (64, 0),
        "12xlarge": (96, 0), "16xlarge": (128, 0), "24xlarge": (192, 0), "48xlarge": (384, 0),
    },
    "r5": {
        "large": (16, 0), "xlarge": (32, 0), "2xlarge": (64, 0), "4xlarge": (128, 0), "12xlarge": (384, 0),
        "24xlarge": (768, 0),
    },
    "g4dn": {
        "xlarge": (16, 1), "2xlarge": (32, 1), "4xlarge": (64, 1), "8xlarge": (128, 1), "12xlarge": (192, 4),
        "16xlarge": (256, 1),
    },
    "g5": {
        "xlarge": (16, 1), "2xlarge": (32, 1), "4xlarge": (64, 1), "8xlarge": (128, 1), "12xlarge": (192, 4),
        "16xlarge": (256, 1), "24xlarge": (384, 4), "48xlarge": (768, 8),
    },
    "g6": {
        "xlarge": (16, 1), "2xlarge": (32, 1), "4xlarge": (64, 1), "8xlarge": (128, 1), "12xlarge": (192, 4),
        "16xlarge": (256, 1), "24xlarge": (384, 4), "48xlarge": (768, 8),
    },
    "g6e": {
        "xlarge": (32, 1), "2xlarge": (64, 1), "4xlarge": (128, 1), "8xlarge": (256, 1), "12xlarge": (384, 4),
        "16xlarge": (512, 1), "24xlarge": (768, 4), "48xlarge": (1536, 8),
    },
    "p3": {"2xlarge": (61, 1), "8xlarge": (244, 4), "16xlarge": (488, 8)},
    "p4d": {"24xlarge": (1152, 8)},
    "p4de": {"24xlarge": (1152, 8)},
    "p5": {"4xlarge": (256, 1), "48xlarge": (2048, 8)},
    "p5e": {"48xlarge": (2048, 8)},
    "p5en": {"48xlarge": (2048, 8)},
}  # fmt: skip


class Instance(msgspec.Struct, frozen=True):
    """What one replica may ask of a machine."""

    memory_bytes: int
    gpus: float


def instance(name: str) -> Instance | None:
    """The instance of a type's name, such as `ml.g5.xlarge`; None for one that is not known."""
    family, _, size = name.removeprefix(_PREFIX).partition(".")
    if not name.startswith(_PREFIX) or size not in _FAMILIES.get(family, {}):
        return None
    memory_gib, gpus = _FAMILIES[family][size]
    return Instance(int(memory_gib * _GIB), gpus)
