"""What a job's input must be before any of it is asked: limits, and the words in which a job says that they are broken.

Owns the order and the wording of those checks. It must not know where files lie. Pure.
Source of the limits: Bedrock's service quotas for batch inference; of the first message: what real jobs say.
"""

from __future__ import annotations

import msgspec

_GIB = 1024**3


class Limits(msgspec.Struct, frozen=True):
    """Records and bytes, per job and per file."""

    least_records: int = 100
    file_records: int = 50_000
    job_records: int = 50_000
    file_bytes: int = _GIB
    job_bytes: int = 5 * _GIB


class BadInput(Exception):
    """The input as a whole cannot be taken; the text is the job's message."""


class Tally:
    """Counts files as they are read, and raises BadInput as soon as a limit is passed."""

    def __init__(self, arn: str, limits: Limits) -> None:
        self._arn = arn
        self._limits = limits
        self.records = 0
        self.bytes = 0

    def file(self, name: str, size: int) -> None:
        """A file of this size is there, not yet read."""
        self.bytes += size
        self._check(size, self._limits.file_bytes, f"The file {name} has more bytes ({size})")
        self._check(self.bytes, self._limits.job_bytes, f"The files of the batch job {self._arn} have more bytes")

    def read(self, name: str, records: int) -> None:
        """So many records were found in a file, or in its beginning."""
        self._check(records, self._limits.file_records, f"The file {name} contains more records")
        self._check(self.records + records, self._limits.job_records, f"Batch job {self._arn} contains more records")

    def done(self, records: int) -> None:
        """A file has been read to its end."""
        self.records += records

    def finish(self) -> None:
        """All files have been read."""
        least = self._limits.least_records
        if self.records < least:
            raise BadInput(
                f"Batch job {self._arn} contains less records ({self.records}) than the required minimum of: {least}"
            )

    def _check(self, found: int, most: int, what: str) -> None:
        if found > most:
            raise BadInput(f"{what} than the allowed maximum of: {most}")
