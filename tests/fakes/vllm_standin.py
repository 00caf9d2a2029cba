"""A stand-in for `vllm serve`: takes its options and no others, and speaks the part of its API that Craton uses.

It answers /health as vLLM does (200, nothing in it), lists and loads adapters only as far as its options and its
environment allow, refuses models that it does not serve, and tells in its answer's text what it was asked, as JSON. The
names of options and the texts of errors are those of vLLM's own command line and `OpenAIServingModels`.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import socketserver
import sys
from pathlib import Path
from typing import Any


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    parser.add_argument("subcommand", choices=["serve"])
    parser.add_argument("model_tag")
    for name in ("--uds", "--served-model-name", "--tool-call-parser"):
        parser.add_argument(name)
    for name in ("--max-loras", "--max-cpu-loras", "--max-lora-rank", "--tensor-parallel-size", "--max-model-len"):
        parser.add_argument(name, type=int)
    parser.add_argument("--gpu-memory-utilization", type=float)
    for name in ("--enable-prefix-caching", "--enable-lora", "--enable-auto-tool-choice"):
        parser.add_argument(name, action="store_true")
    for name in ("--disable-uvicorn-access-log", "--enable-prompt-tokens-details"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args()


OPTIONS = arguments()
ADAPTERS: dict[str, str] = {}
UPDATING = os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "True" and OPTIONS.enable_lora
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}


def error(status: int, kind: str, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": kind, "param": None, "code": status}}


def load(body: dict[str, Any]) -> tuple[int, Any]:
    name, path = body["lora_name"], body["lora_path"]
    if name in ADAPTERS and not body.get("load_inplace"):
        return error(400, "InvalidUserInput", f"The lora adapter '{name}' has already been loaded.")
    if not (Path(path) / "adapter_config.json").is_file():
        return error(404, "NotFoundError", f"Loading lora {name} failed: No adapter found for {path}")
    ADAPTERS[name] = path
    return 200, f"Success: LoRA adapter '{name}' added successfully."


def unload(body: dict[str, Any]) -> tuple[int, Any]:
    name = body["lora_name"]
    if ADAPTERS.pop(name, None) is None:
        return error(404, "NotFoundError", f"The lora adapter '{name}' cannot be found.")
    return 200, f"Success: LoRA adapter '{name}' removed successfully."


def chat(body: dict[str, Any]) -> tuple[int, Any]:
    model = body.get("model")
    if model not in (OPTIONS.served_model_name, *ADAPTERS):
        return error(404, "NotFoundError", f"The model `{model}` does not exist.")
    if body.get("tools") and body.get("tool_choice", "auto") == "auto" and not OPTIONS.enable_auto_tool_choice:
        text = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        return error(400, "BadRequestError", text)
    told = {"argv": sys.argv[1:], "asked": body, "path": ADAPTERS.get(str(model), OPTIONS.model_tag)}
    message = {"role": "assistant", "content": json.dumps(told), "tool_calls": []}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return 200, {"id": "c", "object": "chat.completion", "model": model, "choices": [choice], "usage": USAGE}


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, "")
        elif self.path == "/v1/models":
            names = [OPTIONS.served_model_name, *ADAPTERS]
            self.answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
        else:
            self.answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        doors: dict[str, Any] = {"/v1/chat/completions": chat}
        if UPDATING:
            doors |= {"/v1/load_lora_adapter": load, "/v1/unload_lora_adapter": unload}
        if self.path == "/tokenize":
            self.answer(200, {"count": 5, "max_model_len": 2048, "tokens": [1, 2, 3, 4, 5], "token_strs": None})
        elif self.path in doors:
            self.answer(*doors[self.path](body))
        else:
            self.answer(404, {"detail": "Not Found"})

    def answer(self, status: int, told: Any) -> None:
        body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain" if isinstance(told, str) else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: Any) -> None:
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """On the socket that --uds names."""

    daemon_threads = True


if not (Path(OPTIONS.model_tag) / "config.json").is_file():
    sys.exit(f"{OPTIONS.model_tag} is no model")
Server(OPTIONS.uds, Handler).serve_forever()
