"""The sweep of blobs that nothing in the store leads to.

Rereads what there is, so that one that was cut short is simply done again.
"""

from __future__ import annotations

import sys

from craton.infra.blobs.opening import open_blobs
from craton.infra.blobs.orphans import sweep
from craton.infra.objects.index import in_use
from craton.workflows.toolbox import Shop


async def sweep_blobs(shop: Shop) -> None:
    """Remove what a killed writer or deleter left; doubts go to the log of the server."""
    settings = shop.settings
    blobs = open_blobs(settings.file.blobs, settings.home_path, ephemeral=settings.ephemeral)

    async def held(idents: list[str]) -> set[str]:
        return await shop.storage.read(lambda reader: reader.run(lambda connection: in_use(connection, idents)))

    try:
        swept = await sweep(blobs, held, shop.clock.now(), doubt=not settings.ephemeral)
    finally:
        await blobs.close()
    if swept.doubted:
        print(
            f"craton: {swept.doubted} of {swept.seen} blobs belong to nothing in the store; is it the right one? "
            "`craton blobs scrub --delete-orphans` removes them",
            file=sys.stderr,
            flush=True,
        )
