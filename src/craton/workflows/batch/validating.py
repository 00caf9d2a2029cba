"""The input read once from end to end, before anything is asked: which files, how many records, nothing that is no record.

Owns what `Validating` means (botocore on GetModelInvocationJob): the role reaches the input, the files are within the
limits, each line is a JSON object with a `modelInput`. Whether that suits the model is not looked at, as on Bedrock:
the model says so, in the record's own answer. It must not know who waits for the result.
"""

from __future__ import annotations

import msgspec

from craton.features.batch.plan import BadInput, Limits, Tally
from craton.features.batch.records import BadRecord, Splitter, check_line
from craton.workflows.batch.files import Files, InputFile
from craton.workflows.workflow import JobFailed


async def validated(files: Files, found: list[InputFile], arn: str, limits: Limits) -> list[InputFile]:
    """The files with their records counted. Raises JobFailed."""
    try:
        return await read(files, found, Tally(arn, limits))
    except BadInput as error:
        raise JobFailed(str(error)) from None


async def read(files: Files, found: list[InputFile], tally: Tally) -> list[InputFile]:
    """The same as it is found. Raises BadInput besides."""
    for file in found:
        tally.file(file.key, file.size)
    plan = []
    for file in found:
        records = await counted(files, file, tally)
        tally.done(records)
        plan.append(msgspec.structs.replace(file, records=records))
    tally.finish()
    return plan


async def counted(files: Files, file: InputFile, tally: Tally) -> int:
    """How many records a file has. Raises BadInput with the first line that is none."""
    splitter = Splitter()
    records = 0
    try:
        async for piece in files.read(file):
            for line in splitter.feed(piece):
                check_line(line)
                records += 1
            tally.read(file.key, records)
        for line in splitter.finish():
            check_line(line)
            records += 1
    except BadRecord as error:
        raise BadInput(f"The file {file.key} is not valid: {error}.") from None
    tally.read(file.key, records)
    return records
