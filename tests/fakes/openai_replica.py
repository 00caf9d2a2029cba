"""A replica of OpenAI's shape that costs nothing: answers on a Unix socket, and says which process it is.

Usage: openai_replica.py SOCKET. The answer to any conversation is this process's number.
"""

import asyncio
import json
import os
import sys


def answer(path: str) -> bytes:
    if "completions" not in path:
        return b'{"status":"ok","running":0}'
    message = {"role": "assistant", "content": str(os.getpid())}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            await reader.readexactly(int(lengths[0].partition(":")[2]) if lengths else 0)
            if "completions" in head.split(" ")[1]:
                await asyncio.sleep(0.01)
            body = answer(head.split(" ")[1])
            kind = b"Content-Type: application/json\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (kind, len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    async with await asyncio.start_unix_server(serve, sys.argv[1]) as server:
        await server.serve_forever()


asyncio.run(main())
