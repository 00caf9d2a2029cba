"""A sync of a web source: pages as the crawler brings them, held against the ledger.

Owns what a page that changed, did not change, or is gone becomes in the draft. How pages are found and asked for is the
crawler's (`features.rag.crawling`). A page that cannot be had today stays as it was.
"""

from __future__ import annotations

import asyncio
import hashlib

from msgspec.structs import replace

from craton.features.rag import ledger
from craton.features.rag.crawling.crawl import Crawl, Missing, Page, TooManyPages
from craton.features.rag.crawling.fetch import Hosts
from craton.features.rag.crawling.plan import BadPlan, plan_of
from craton.features.rag.documents import Document
from craton.features.rag.resources import DataSource, source_arn
from craton.features.rag.sidecar import Sidecar
from craton.workflows.ingest.indexing import Room
from craton.workflows.ingest.ingestion import Ingestion
from craton.workflows.ingest.material import Material
from craton.workflows.ingest.syncing import Progress
from craton.workflows.workflow import JobFailed

OFF = "This server crawls no web pages: whoever runs it can set crawler = true in the table [rag] of the configuration."
TOO_MANY = "The web pages are more than the maxPages of the data source."


class WebSync(Progress):
    """One sync of a WEB source."""

    def __init__(self, ingestion: Ingestion) -> None:
        super().__init__(ingestion)
        self._room = Room()
        self._rows: dict[str, Document] = {}

    async def run(self) -> None:
        it, table = self._ingestion, self._ingestion.job.tools.settings.file.rag
        if not table.crawler:
            raise JobFailed(OFF)
        base, source = it.base.arn, it.source_id
        found = await it.job.read(lambda store: store.run(lambda c: list(ledger.known(c, base, source))))
        self._rows = {one.identifier: one for one in found}
        crawl = await self._crawl(Hosts(table.crawler_hosts))
        seats = asyncio.Semaphore(table.documents_at_once)
        try:
            async with asyncio.TaskGroup() as group:
                async for page in crawl.pages():
                    await seats.acquire()
                    task = group.create_task(self._page(page))
                    task.add_done_callback(lambda _: seats.release())
        except* TooManyPages:
            raise JobFailed(TOO_MANY) from None
        except* JobFailed as failures:
            raise failures.exceptions[0] from None
        await self.remove(list(self._rows.values()))

    async def _crawl(self, hosts: Hosts) -> Crawl:
        it = self._ingestion
        arn = source_arn(it.job.account, it.job.region, it.base.id, it.source_id)
        row = await it.job.read(lambda store: store.get(arn))
        if row is None:
            raise JobFailed("The data source was deleted.")
        try:
            plan = plan_of(row.read(DataSource).configuration["webConfiguration"])
        except BadPlan as error:
            raise JobFailed(str(error)) from None
        return Crawl(plan, hosts, it.reader, self._mark)

    async def _mark(self, url: str) -> str:
        """How the page was when it was read last; "" to have it read again."""
        row = self._rows.get(url)
        current = (
            row is not None and row.chunks and row.recipe == self._ingestion.recipe.hash and not self._ingestion.anew
        )
        return row.etag if row is not None and current else ""

    async def _page(self, page: Page | Missing) -> None:
        row = self._rows.get(page.url)
        if isinstance(page, Missing):
            if page.gone and row is not None:
                return  # it is among those that are left over
            self._rows.pop(page.url, None)
            if not page.gone:
                self.counts.fail(page.url, page.reason)
            return
        self._rows.pop(page.url, None)
        self.counts.scanned += 1
        if page.body is None:
            if row is not None:
                self.settled.keep(replace(row, etag=page.mark))
            return
        same = row is not None and row.content == hashlib.sha256(page.body).hexdigest()
        if row is not None and same and row.recipe == self._ingestion.recipe.hash and not self._ingestion.anew:
            self.settled.keep(replace(row, etag=page.mark))
            return
        async with self._room.take(len(page.body)):
            self.settle(await self._ingestion.indexing.index(self._material(page, page.body, row), row), row)

    def _material(self, page: Page, body: bytes, row: Document | None) -> Material:
        it = self._ingestion
        return Material(
            base=it.base.arn, source=it.source_id, identifier=page.url, kind="WEB", data=body, sidecar=Sidecar(),
            run=it.job.arn, turn=row.turn if row is not None else 0, name=page.name, mime=page.mime, mark=page.mark,
        )  # fmt: skip
