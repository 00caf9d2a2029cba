"""Our own runtimes, as the scheduler drives them: `python -m bench.engines.rows_side DIR BACKEND THREADS`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.engines.question import OUTPUT, Clock, now, serve
from craton.engine.backend import ModelSpec
from craton.engine.opening import open_rows


def main(directory: str, backend: str, threads: str) -> None:
    rows = open_rows(ModelSpec(Path(directory), int(threads), 32, context_tokens=256, backend=backend, device="cpu"))

    def answer(prompts: list[list[int]]) -> tuple[Clock, Clock, Clock, int]:
        began = now()
        tokens = np.array([int(rows.prefill(row, prompt, 0).argmax()) for row, prompt in enumerate(prompts)])
        between = now()
        lengths = np.array([len(prompt) for prompt in prompts])
        for _ in range(OUTPUT - 1):
            tokens = rows.decode(tokens, lengths).argmax(axis=1)
            lengths = lengths + 1
        return began, between, now(), len(prompts) * (OUTPUT - 1)

    serve(answer)


main(*sys.argv[1:])
