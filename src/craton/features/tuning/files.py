"""From a training file to its shelf: every line judged, rendered and laid down, once per run.

Owns when a file is not good enough to train on. Raises TuningFault of the kind `data`, whose text lists the lines.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from craton.features.tuning.grading import check
from craton.features.tuning.plan import Form, Plan
from craton.features.tuning.progress import Read, TuningFault, tell
from craton.features.tuning.reading import Account, records
from craton.features.tuning.records import Record
from craton.features.tuning.shelf import Shelf, ShelfWriter
from craton.features.tuning.tokens import NoTemplate, Renderer, Sample

_FEWEST = 2
Prompt = tuple[Record, NDArray[np.int32]]
Data = Shelf | list[Prompt]


def shelf_of(plan: Plan, key: str, name: str, path: Path, forms: tuple[Form, ...]) -> Shelf:
    """The shelf of a file; the one that an earlier part of the same run made, if it is whole."""
    from craton.features.tuning.weights import open_tokenizer

    folder = Path(plan.work) / f"{name}-{key[:16]}"
    told = folder / "read.json"
    if told.is_file():
        tell(msgspec.json.decode(told.read_bytes(), type=Read))
        return Shelf(folder)
    renderer = Renderer(open_tokenizer(Path(plan.base)), plan.settings.max_tokens)
    account = Account()
    try:
        shelf, read = _laid(renderer, ShelfWriter(folder), records(path, forms, account, plan.most_records), name)
    except OSError as fault:
        what = "the disk is full" if fault.errno in (errno.ENOSPC, errno.EDQUOT) else str(fault.strerror)
        raise TuningFault("disk", f"the {name} data cannot be laid down: {what}") from fault
    if complaint := account.complaint(f"the {name} data"):
        raise TuningFault("data", complaint)
    if name == "training" and read.records < _FEWEST:
        raise TuningFault("data", f"the {name} data holds {read.records} record, and at least {_FEWEST} are needed")
    if not read.learned:
        raise TuningFault(
            "data",
            f"in the {name} data nothing is left to learn: all answers lie behind {plan.settings.max_tokens} tokens",
        )
    told.write_bytes(msgspec.json.encode(read))
    tell(read)
    return shelf


def prompts_of(plan: Plan, key: str, name: str, path: Path, forms: tuple[Form, ...]) -> list[Prompt]:
    """The prompts of a file for reinforcement, which are few enough to be read again each time."""
    from craton.features.tuning.weights import open_tokenizer

    renderer, account = Renderer(open_tokenizer(Path(plan.base)), plan.settings.max_tokens), Account()
    judge = partial(check, rule=plan.grading.rule)
    found = [(record, renderer.prompt(record)) for record in records(path, forms, account, plan.most_records, judge)]
    if complaint := account.complaint(f"the {name} data"):
        raise TuningFault("data", complaint)
    lengths = [len(ids) for _, ids in found]
    cut = sum(length > plan.settings.max_tokens for length in lengths)
    tell(Read(name=name, records=len(found), tokens=sum(lengths), learned=0, cut=cut, longest=max(lengths)))
    return found


def _laid(renderer: Renderer, writer: ShelfWriter, found: Iterator[Record], name: str) -> tuple[Shelf, Read]:
    count = cut = learned = longest = 0
    for record in found:
        try:
            samples = _samples(renderer, record)
        except NoTemplate as fault:
            raise TuningFault("data", str(fault)) from fault
        count += 1
        cut += any(was_cut for _, was_cut in samples)
        for sample, _ in samples:
            writer.add(sample)
            learned += int(sample.learned.sum())
            longest = max(longest, len(sample.ids))
    shelf = writer.close()
    return shelf, Read(name=name, records=count, tokens=shelf.tokens, learned=learned, cut=cut, longest=longest)


def _samples(renderer: Renderer, record: Record) -> list[tuple[Sample, bool]]:
    """One sample, or a preference's two: the chosen answer's first."""
    if not record.rejected:
        return [renderer.sample(record)]
    return [renderer.sample(record), renderer.sample(record, record.rejected)]
