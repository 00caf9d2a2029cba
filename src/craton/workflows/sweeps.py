"""Sweeps that belong to no kind of job: keys and objects that the calendar asks after, runs that ended long ago.

Each rereads what there is, so that one that was cut short is simply done again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from craton.features.objects import lifecycle_sweep
from craton.infra.cipher.rows import sweep
from craton.infra.jobs.rows import prune
from craton.workflows.toolbox import Shop

KEEP_RUNS = timedelta(days=30)


async def sweep_keys(shop: Shop) -> None:
    """Wipe KMS keys whose deletion is over, and rotate those that are due."""
    await asyncio.to_thread(sweep, shop.store, shop.cipher.keyring, shop.clock.now())


async def sweep_objects(shop: Shop) -> None:
    """Carry out the lifecycle rules of all buckets."""
    await lifecycle_sweep.sweep(shop.storage, shop.objects, shop.clock.now())


async def sweep_runs(shop: Shop) -> None:
    """Forget the progress of jobs that ended a month ago; their own rows stay."""
    before = shop.clock.now() - KEEP_RUNS
    await shop.storage.keep(lambda transaction: transaction.run(lambda c: prune(c, before)))
