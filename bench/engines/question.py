"""What each side is asked, line by line, and how it answers.

A line on standard input is a number of sequences; the answer is one JSON line with the wall and CPU seconds of
computing all their prompts, and of decoding them together. The order of the side's threads is its own business.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator

PROMPT, OUTPUT, LOWEST = 64, 48, 300
HIGHEST = int(os.environ.get("BENCH_VOCABULARY", "8192"))
"""How many tokens the model knows; the bench says it to its sides."""
Clock = tuple[float, float]


def prompts(sequences: int) -> list[list[int]]:
    """Different beginnings, so that nobody may reuse another's."""
    state = int(time.time() * 1000) % 2**31 | 1
    found = []
    for _ in range(sequences):
        tokens = []
        for _ in range(PROMPT):
            state = (state * 1103515245 + 12345) % 2**31
            tokens.append(LOWEST + state % (HIGHEST - LOWEST))
        found.append(tokens)
    return found


def now() -> Clock:
    return time.perf_counter(), time.process_time()


def serve(answer: Callable[[list[list[int]]], tuple[Clock, Clock, Clock, int]]) -> None:
    """Answer until the input ends. `answer` gives the clock at the beginning, between and at the end, and how many
    tokens it decoded after the first of each sequence."""
    print("ready", flush=True)
    for sequences in _asked():
        began, between, ended, tokens = answer(prompts(sequences))
        told = {
            "prefill_s": between[0] - began[0],
            "prefill_cpu_s": between[1] - began[1],
            "decode_s": ended[0] - between[0],
            "decode_cpu_s": ended[1] - between[1],
            "tokens": tokens,
        }
        print(json.dumps(told), flush=True)


def _asked() -> Iterator[int]:
    for line in sys.stdin:
        yield int(line)
