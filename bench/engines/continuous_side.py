"""Continuous batching of transformers: `python -m bench.engines.continuous_side DIR DTYPE THREADS`.

Its defaults size the cache from the free memory and then compute over all of it, at 3 tokens per second on a CPU; the
configuration here is the best that was found.
"""

from __future__ import annotations

import sys

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig
from transformers.utils import logging

from bench.engines.question import OUTPUT, Clock, now, serve


def main(directory: str, dtype: str, threads: str) -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(int(threads))
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=getattr(torch, dtype)).eval()
    cache = ContinuousBatchingConfig(page_size=32, num_blocks=128, max_batch_tokens=512)

    def generate(prompts: list[list[int]], count: int) -> None:
        wanted = GenerationConfig(max_new_tokens=count, do_sample=False, eos_token_id=-1, pad_token_id=0)
        found = model.generate_batch(
            prompts, generation_config=wanted, continuous_batching_config=cache, progress_bar=False
        )
        if sum(len(each.generated_tokens) for each in found.values()) != count * len(prompts):
            raise SystemExit("it generated another number of tokens than was asked")

    def answer(prompts: list[list[int]]) -> tuple[Clock, Clock, Clock, int]:
        began = now()
        generate(prompts, 1)
        between = now()
        generate(prompts, OUTPUT)
        ended = now()
        ended = (ended[0] - (between[0] - began[0]), ended[1] - (between[1] - began[1]))
        return began, between, ended, len(prompts) * (OUTPUT - 1)

    serve(answer)


main(*sys.argv[1:])
