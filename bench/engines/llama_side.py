"""llama.cpp, where it could be built: `PYTHON -m bench.engines.llama_side FILE.gguf - THREADS`, in its own environment.

Built from the source distribution of llama-cpp-python with GGML_NATIVE=OFF and the CPU's own instructions named: the
default build dies with an illegal instruction on some virtual machines. Knows nothing of ours but the question.
"""

from __future__ import annotations

import ctypes
import sys

import llama_cpp
import numpy as np

from bench.engines.question import HIGHEST, OUTPUT, PROMPT, Clock, now, serve


def main(file: str, _: str, threads: str) -> None:
    llama_cpp.llama_backend_init()
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    model = llama_cpp.llama_model_load_from_file(file.encode(), llama_cpp.llama_model_default_params())
    options = llama_cpp.llama_context_default_params()
    options.n_ctx, options.n_batch, options.n_ubatch, options.n_seq_max = 32 * 128, 2048, 512, 32
    options.n_threads = options.n_threads_batch = int(threads)
    options.kv_unified = False
    context = llama_cpp.llama_init_from_model(model, options)
    batch = llama_cpp.llama_batch_init(2048, 0, 1)

    def put(tokens: list[tuple[int, int, int, bool]]) -> None:
        """Compute (token, position, sequence, whether its logits are wanted)."""
        batch.n_tokens = len(tokens)
        for at, (token, position, sequence, wanted) in enumerate(tokens):
            batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, position, 1
            batch.seq_id[at][0], batch.logits[at] = sequence, wanted
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit("llama_decode failed")

    def picked(at: int) -> int:
        logits = llama_cpp.llama_get_logits_ith(context, at)
        return int(np.ctypeslib.as_array(logits, shape=(HIGHEST,)).argmax())

    def answer(prompts: list[list[int]]) -> tuple[Clock, Clock, Clock, int]:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        began = now()
        tokens = []
        for first in range(0, len(prompts), 2048 // PROMPT):
            some = list(enumerate(prompts))[first : first + 2048 // PROMPT]
            put([(t, at, row, at == PROMPT - 1) for row, prompt in some for at, t in enumerate(prompt)])
            tokens += [picked(number * PROMPT + PROMPT - 1) for number in range(len(some))]
        between = now()
        for step in range(OUTPUT - 1):
            put([(token, PROMPT + step, row, True) for row, token in enumerate(tokens)])
            tokens = [picked(row) for row in range(len(tokens))]
        return began, between, now(), len(prompts) * (OUTPUT - 1)

    serve(answer)


main(*sys.argv[1:])
