"""A model container in one file: SageMaker's contract, and a model that says what it hears.

GET /ping answers 200 once it is ready, POST /invocations takes and gives OpenAI's chat completions.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def reply(asked: dict[str, Any]) -> dict[str, Any]:
    """One whole answer."""
    content = asked["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    message = {"role": "assistant", "content": f"You said: {text}"}
    usage = {"prompt_tokens": len(text.split()), "completion_tokens": len(text.split()) + 2}
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


class Handler(BaseHTTPRequestHandler):
    """The two paths."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Ready, from the first moment."""
        self.answer(b"")

    def do_POST(self) -> None:
        """One invocation."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer(json.dumps(reply(asked)).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    print(f"ready on port {port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
