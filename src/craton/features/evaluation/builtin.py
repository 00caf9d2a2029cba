"""The datasets that come with Craton, written for it: few lines, for a first look at a model.

Owns how they are read. Bedrock's own built-in datasets are other people's collections, and are not
here. It must not know jobs.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

from craton.features.evaluation.names import DATASETS
from craton.features.evaluation.records import Needs, Record, read


def records(name: str) -> list[Record]:
    """The records of a dataset of ours."""
    data = files("craton.features.evaluation").joinpath("datasets", DATASETS[name][1]).read_bytes()
    rows = msgspec.json.decode(data, type=list[msgspec.Raw])
    return read(((number, bytes(row)) for number, row in enumerate(rows, 1)), Needs(reference=True))
