"""The doctor's look at invocation logs: what waits to be delivered, why, and what was lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from craton.cli.finding import Finding
from craton.cli.running import Place

_SLOW_S = 60.0


def deliveries(place: Place) -> Iterator[Finding]:
    """Whether invocation logs reach where they are to go; nothing to say where none were ever made."""
    from craton.features.invocations.status import status

    path = place.settings.spool_path
    if not path.is_dir():
        return
    found = status(path)
    size = f"{found.size_bytes / 1e6:.1f} MB of {place.settings.file.logging.spool_max_bytes / 1e6:.0f}"
    waits_s = time.time() - found.oldest_at if found.oldest_at else 0.0
    if waits_s > _SLOW_S:
        text = f"{found.segments} segments ({size}) wait since {waits_s / 60:.0f} minutes"
        why = f"; the last try: {found.error}" if found.error else ""
        yield Finding("warning", "invocation logs", text + why, "mend the bucket's policy or the role: they are kept")
    else:
        yield Finding("ok", "invocation logs", f"delivered; {size} in the spool")
    if found.lost.total:
        lost = found.lost
        text = f"{lost.total} records were lost ({lost.budget} to the disk budget, {lost.memory} to memory)"
        mend = f"raise [logging] spool_max_bytes; rm {path}/lost-*.json to forget them"
        yield Finding("warning", "invocation logs", text, mend)
