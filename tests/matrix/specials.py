"""The cells of embeddings, rankings and pictures: each schema at each upstream that has such a thing.

    with specials.Running(tmp_path) as matrix:
        verdicts = matrix.table("embedding")

Vendors answer as `tests.fakes` says; what they were sent is one text of `name=value` lines, in which what was said must
be found. A vendor's own habits (the length of its vectors) are the caller's, so that nothing is named without a cause.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from craton.app import checked_provider
from craton.features.inference.kinds import KINDS
from craton.models.catalog.local import Kind
from craton.models.providers.provider import Upstream as Address
from tests.fakes import embedders, painters, scripts
from tests.fakes.scripts import Script
from tests.fakes.upstream import FakeUpstream, Request
from tests.matrix.house import Answer, House
from tests.matrix.judge import UNSAID, YES, Verdict, refusal
from tests.matrix.say_special import EMBEDDINGS, IMAGES, RANKINGS, Row, Said, flat
from tests.matrix.upstreams import SIGNED, slug

Json = dict[str, Any]
FEATURES: dict[Kind, tuple[str, ...]] = {
    "embedding": ("text", "dimensions", "purpose", "image", "error"),
    "rerank": ("documents", "top_n", "objects", "limit", "error"),
    "image": ("prompt", "negative", "seed", "size", "image", "inpaint", "error"),
}
TITLES = {
    "text": "texts",
    "dimensions": "a length of vectors",
    "purpose": "the purpose (a query)",
    "image": "a picture as input",
    "documents": "a query and documents",
    "top_n": "only the best",
    "objects": "documents that are objects",
    "limit": "a limit of tokens for a document",
    "prompt": "a prompt",
    "negative": "what should not be seen",
    "seed": "a seed",
    "size": "a size",
    "inpaint": "a mask to paint anew",
    "error": "a vendor's 429",
}
ROWS: dict[Kind, tuple[Row, ...]] = {"embedding": EMBEDDINGS, "rerank": RANKINGS, "image": IMAGES}
# What the model behind the real Bedrock is, by kind.
_BEHIND = {
    "embedding": "amazon.titan-embed-text-v2:0",
    "rerank": "cohere.rerank-v3-5:0",
    "image": "amazon.nova-canvas-v1:0",
}
_NAMES: dict[Kind, str] = {"embedding": "up-model", "rerank": "up-model", "image": "gpt-image-1"}
_SUFFIXES = {"openai": "/v1", "mistral": "/v1", "ai21": "/studio/v1"}
_PROVIDERS = (
    "anthropic", "openai", "ai21", "cohere", "mistral", "stability", "gemini", "bedrock", "sagemaker", "container",
    "local",
)  # fmt: skip
_STRICT = {"x-craton-translation": "strict"}


def providers(kind: Kind) -> list[str]:
    """The providers that have something to do this with, by the method that the compiler looks for."""

    async def find() -> list[str]:
        found = []
        for name in _PROVIDERS:
            address = Address(name, "http://127.0.0.1:1/v1", "m", region="x", access_key_id="x", secret_access_key="x")
            provider = checked_provider(address)
            if callable(getattr(provider, KINDS[kind].method, None)):
                found.append(name)
            await provider.close()
        return found

    return asyncio.run(find())


@dataclass
class Vendors:
    """The fake server. `size`: how long vectors are made that nobody asked for in a length; `sent`: what came."""

    kind: Kind = "embedding"
    size: int = 0
    scene: str = ""
    sent: str = ""

    def answer(self, request: Request) -> Script:
        path = request.path.lstrip("/").partition("/")[2]
        request = dataclasses.replace(request, path=f"/{path}")
        if path in ("ping", "health"):
            return scripts.reply({})
        self.sent += sent_text(request)
        if self.scene:
            return scripts.error_openai(int(self.scene), {"retry-after": "1"})
        if self.kind == "image":
            return _painted(request)
        return embedders.natural(request) if self.kind == "rerank" else self._embedded(request)

    def _embedded(self, request: Request) -> Script:
        """The vectors, `size` long where the body does not say."""
        body = request.json
        if "batchEmbedContents" in request.path:
            body["requests"] = [{"outputDimensionality": self.size, **one} for one in body["requests"]]
        elif request.path.endswith("/embeddings") or "input" in body:
            return embedders.openai(body, body.get("output_dimension", self.size))
        else:
            name = "output_dimension" if "input_type" in body else "dimensions"
            body.setdefault(name, self.size)
        return embedders.natural(dataclasses.replace(request, body=json.dumps(body).encode()))


def _painted(request: Request) -> Script:
    """A picture; what takes any body answers in the schema of the one that came."""
    if not request.path.endswith("/invocations"):
        return painters.natural(request)
    body = request.json
    if "text_prompts" in body:
        artifact = {"base64": painters.PICTURE, "seed": 1, "finishReason": "SUCCESS"}
        return scripts.reply({"result": "success", "artifacts": [artifact]})
    if "n" in body or "model" in body:
        return scripts.reply({"created": 1, "data": [{"b64_json": painters.PICTURE}]})
    return painters.natural(request)


def sent_text(request: Request) -> str:
    """The body, JSON or a form, as lines; files in base64."""
    if "multipart" not in request.headers.get("content-type", ""):
        return flat(request.json)
    lines = []
    for name, value in painters.form(request).items():
        binary = not value.isascii() or name.startswith(("image", "mask"))
        lines.append(f"{name}={base64.b64encode(value).decode() if binary else value.decode()}")
    return "\n".join(lines)


class Running:
    """The house with its vendors. One cell at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.vendors = Vendors()
        self.up = FakeUpstream(fallback=self.vendors.answer)
        self.columns = {kind: providers(kind) for kind in ROWS}

    def __enter__(self) -> Self:
        self.up.__enter__()
        tables = [
            self._model(kind, row, name) for kind, rows in ROWS.items() for row in rows for name in self.columns[kind]
        ]
        self.house = House(self.home, tables, f"{self.up.base_url}/local").__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.house.__exit__()
        self.up.__exit__()

    def _model(self, kind: Kind, row: Row, provider: str) -> Json:
        target: Json = {"provider": provider, "model": _NAMES[kind]}
        if provider != "local":
            target["base_url"] = f"{self.up.base_url}/{provider}{_SUFFIXES.get(provider, '')}"
        if provider in ("bedrock", "sagemaker"):
            target |= SIGNED
        if provider == "bedrock":
            target["model"] = _BEHIND[kind]
        if provider == "stability":
            target["model"] = "sd3.5-large"
        dialect = {"/openai/v1/embeddings": "openai.embeddings", "/openai/v1/images/generations": "openai.images"}
        return {"id": _id(row, provider), "dialect": dialect.get(row.path, row.name), "target": [target]}

    def table(self, kind: Kind) -> dict[tuple[str, str, str], Verdict]:
        """Every cell of a kind."""
        self.vendors.kind = kind
        return {
            (row.name, provider, feature): self.cell(row, provider, feature)
            for row in ROWS[kind]
            for provider in self.columns[kind]
            for feature in FEATURES[kind]
        }

    def cell(self, row: Row, provider: str, feature: str) -> Verdict:
        return self.house.run(self._cell(row, provider, feature))

    async def _cell(self, row: Row, provider: str, feature: str) -> Verdict:
        first = next(iter(row.says.values()))
        if feature == "error":
            return _judged_error(await self._ask(row, provider, first, "429"))
        said = row.says.get(feature)
        if said is None:
            return UNSAID
        verdict = judged(row, said, await self._ask(row, provider, said), self.vendors.sent)
        if verdict.kind == "lost":
            return verdict
        strict = await self._ask(row, provider, said, headers=_STRICT)
        wanted = 400 if verdict.kind in ("refused", "ledgered") else 200
        if strict.status != wanted or (verdict.kind == "ledgered" and not _any_in(verdict.what, refusal(strict))):
            return Verdict("lost", f"{verdict.what}; strict mode answers {strict.status}: {strict.body[:200]!r}")
        return verdict

    async def _ask(
        self, row: Row, provider: str, said: Said, scene: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        self.vendors.size, self.vendors.scene, self.vendors.sent = row.size or said.size, scene, ""
        model = _id(row, provider)
        path = row.path or f"/model/{model}/invoke"
        body = {**said.body, "model": model} if row.path else said.body
        return await self.house.ask(path, body, headers)


def _id(row: Row, provider: str) -> str:
    """The services of Stability are told by their ids."""
    return f"matrix.{row.model.split(':')[0] or slug(row.name)}.{provider}"


def judged(row: Row, said: Said, answer: Answer, sent: str) -> Verdict:
    if answer.status == 400 and not sent:
        message = refusal(answer)
        named = any(word in message.lower() for word in said.words)
        return Verdict("refused", message) if named else Verdict("lost", f"refused without being named: {message}")
    if answer.status != 200:
        return Verdict("lost", f"status {answer.status}: {answer.body[:300]!r}")
    paths = [path.lower() for path in (*answer.dropped, *answer.emulated)]
    for words in said.sent:
        if not any(word in sent for word in words) and not any(word in path for path in paths for word in said.words):
            return Verdict("lost", f"{words[0][:60]} did not arrive, and only {paths} is named")
    wrong = told(row.told, answer, said.size)
    if wrong:
        return Verdict("lost", wrong)
    if answer.dropped:
        return Verdict("ledgered", ", ".join(answer.dropped))
    return Verdict("emulated", ", ".join(answer.emulated)) if answer.emulated else YES


def told(read: Callable[[Json, int], str], answer: Answer, size: int) -> str:
    try:
        return read(json.loads(answer.body), size)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"the answer cannot be read: {error!r} in {answer.body[:200]!r}"


def _judged_error(answer: Answer) -> Verdict:
    """A vendor that says "slow down" says so to the caller."""
    named = b"rate_limit" in answer.body or "Throttling" in answer.headers.get("x-amzn-errortype", "")
    return YES if answer.status == 429 and named else Verdict("lost", f"a 429 is told as {answer.status}")


def _any_in(paths: str, text: str) -> bool:
    return any(path in text for path in paths.split(", "))
