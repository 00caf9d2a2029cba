"""A server whose models answer through a fake vendor: what the acceptance tests stand on that need an exact answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance import rawhttp
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"  # Anthropic's own API
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"  # an OpenAI-compatible server in its place
GPT = "openai.gpt-oss-20b-1:0"
CLAUDE_2 = "anthropic.claude-v2"
TITAN = "amazon.titan-text-express-v1"
NOVA = "amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-8b-instruct-v1:0"

PROVIDERS = {
    CLAUDE: "anthropic",
    HAIKU: "openai",
    GPT: "openai",
    CLAUDE_2: "openai",
    TITAN: "openai",
    NOVA: "openai",
    LLAMA: "openai",
}
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


@dataclass
class Served:
    """The server and the vendor behind it."""

    server: Running
    up: FakeUpstream

    def client(self, service: str = "bedrock-runtime", **options: Any) -> Any:
        return self.server.client(service, **options)

    def sent(self) -> dict[str, Any]:
        """The body of the last request that reached the vendor."""
        body: dict[str, Any] = self.up.requests[-1].json
        return body

    def check_alive(self) -> None:
        """The next request works. Everything that a test before it left behind is gone then."""
        self.up.scripts.clear()
        answer = rawhttp.call(self.server, "POST", converse_path(GPT), json.dumps({"messages": HELLO}).encode())
        assert answer.status == 200, f"{answer}\n{self.server.output()[-3000:]}"
        assert answer.json["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
        self.up.requests.clear()


def converse_path(model_id: str, action: str = "converse") -> str:
    """The path as SDKs send it."""
    return f"/model/{model_id.replace(':', '%3A')}/{action}"


def routes(up: FakeUpstream, extra: str = "", also: Mapping[str, str] | None = None) -> str:
    """A `[[model]]` for every id above; `extra` goes into each target. `also`: id → provider, each an upstream apart."""
    urls = {"anthropic": up.anthropic_url, "openai": up.openai_url}
    tables = [model_config(name, kind, urls[kind], extra=extra) for name, kind in PROVIDERS.items()]
    tables += [model_config(name, kind, urls[kind], model=name, extra=extra) for name, kind in (also or {}).items()]
    return "".join(tables)


@contextmanager
def serving(
    home: Path, config: str = "", *options: str, target: str = "", also: Mapping[str, str] | None = None, **more: Any
) -> Iterator[Served]:
    """A server with these further lines of configuration; `target` are lines for each model's target.

    A vendor that says "wait" is asked all the same, since the next test is another story.
    """
    config += "\n[routing]\nheed_retry_after = false\n"
    with FakeUpstream() as up, Running(home, config + routes(up, target, also), *options, **more) as server:
        yield Served(server, up)
