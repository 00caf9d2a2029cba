"""`generate` of transformers, one batch: `python -m bench.engines.generate_side DIR DTYPE THREADS`."""

from __future__ import annotations

import sys

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from bench.engines.question import OUTPUT, Clock, now, serve


def main(directory: str, dtype: str, threads: str) -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(int(threads))
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=getattr(torch, dtype)).eval()

    def generate(prompts: torch.Tensor, count: int) -> None:
        with torch.inference_mode():
            model.generate(
                prompts,
                attention_mask=torch.ones_like(prompts),
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
            )

    def answer(prompts: list[list[int]]) -> tuple[Clock, Clock, Clock, int]:
        given = torch.tensor(prompts)
        began = now()
        generate(given, 1)
        between = now()
        generate(given, OUTPUT)
        ended = now()
        # The second call computed the prompts once more: taken off.
        ended = (ended[0] - (between[0] - began[0]), ended[1] - (between[1] - began[1]))
        return began, between, ended, len(prompts) * (OUTPUT - 1)

    serve(answer)


main(*sys.argv[1:])
