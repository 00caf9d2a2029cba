"""A model container for tests: SageMaker's contract on the port that it is told, and misbehaviour on request.

The environment variable MODE says how: ok, slow (pings after a while), silent (never answers a ping), broken (answers 500
to pings), dies (ends at once), eats (takes memory without end when it is asked), bombs (makes processes without end),
outwards (tries to reach the world), writes (tries to write where it may not), rubbish, forever, error500, mute (answers
pings, never an invocation).
"""

import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODE = os.environ.get("MODE", "ok")
PORT = int(os.environ["SAGEMAKER_BIND_TO_PORT"])


def attempted(what: str) -> str:
    """Try one thing that a container must not; how it went."""
    try:
        if what.startswith("connect:"):
            host, port = what.removeprefix("connect:").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=2).close()
        elif what.startswith("datagram:"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sent:
                sent.sendto(b"x", ("192.0.2.1", 53))
        elif what.startswith("family:"):
            socket.socket(int(what.removeprefix("family:")), socket.SOCK_STREAM).close()
        elif what.startswith("write:"):
            with open(what.removeprefix("write:"), "w") as file:
                file.write("x")
        elif what.startswith("read:"):
            with open(what.removeprefix("read:")) as file:
                return "done: " + file.read()
        elif what.startswith("list:"):
            return "done: " + ",".join(sorted(path.name for path in Path(what.removeprefix("list:")).iterdir()))
        elif what == "processes":
            return "done: " + ",".join(sorted(path.name for path in Path("/proc").iterdir() if path.name.isdigit()))
        elif what == "environment":
            return "done: " + json.dumps(dict(os.environ))
        elif what == "rights":
            lines = Path("/proc/self/status").read_text().splitlines()
            return "done: " + " ".join(line.split()[1] for line in lines if line.startswith(("CapEff", "NoNewPrivs")))
        elif what == "eat":
            held = []
            while True:
                held.append(bytearray(1 << 20))
        elif what == "bomb":
            while True:
                if os.fork() == 0:
                    time.sleep(60)
    except OSError as error:
        return f"refused: {error.strerror or error}"
    except MemoryError:
        return "refused: no memory"
    return "done"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if MODE == "silent":
            time.sleep(600)
        self.reply(500 if MODE == "broken" else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if MODE == "mute":
            time.sleep(600)
        if MODE == "error500":
            self.reply(500, b'{"error": {"message": "the weights are not what they were"}}')
        elif MODE == "rubbish":
            self.reply(200, b"\xff\xfe<html>no JSON at all")
        elif MODE == "forever":
            self.endless()
        else:
            asked = json.loads(body)
            if "attempt" in asked:
                self.reply(200, json.dumps({"outcome": attempted(asked["attempt"])}).encode())
            elif asked.get("stream"):
                self.stream(asked)
            else:
                self.reply(200, json.dumps(answer(asked)).encode())

    def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for piece in ("Echo", ": ", said(asked)):
            choice = {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}
            self.wfile.write(
                b"data: %s\n\n" % json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()
            )
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        for event in ({"choices": [last]}, {"choices": [], "usage": usage}):
            self.wfile.write(b"data: %s\n\n" % json.dumps({"object": "chat.completion.chunk", **event}).encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b'{"choices": "' + b"x" * 65536)

    def log_message(self, *_: object) -> None:
        pass


def said(asked: dict[str, Any]) -> str:
    content = asked["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": f"Echo: {said(asked)}"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"object": "chat.completion", "model": asked.get("model"), "choices": [choice], "usage": usage}


print(f"serving on {PORT}, arguments {sys.argv[1:]}", flush=True)
if MODE == "dies":
    print("weights.bin: the header is damaged", file=sys.stderr, flush=True)
    os._exit(3)
if MODE == "slow":
    time.sleep(0.5)
if MODE == "bombs":
    attempted("bomb")
if MODE == "eats":
    # Whichever comes first: the watcher ends the process, or the kernel refuses more and it ends by that, as most programs do.
    raise MemoryError(attempted("eat"))
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
