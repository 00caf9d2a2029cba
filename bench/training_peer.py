"""TRL's side of `bench.training`: reads what to do as JSON on standard input, prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]

    given: dict[str, Any] = json.load(sys.stdin)
    torch.set_num_threads(1)
    lines = [json.loads(line) for line in open(given["train"], encoding="utf-8")]  # noqa: SIM115
    turns = [
        {
            "prompt": [{"role": "user", "content": line["prompt"]}],
            "completion": [{"role": "assistant", "content": line["completion"]}],
        }
        for line in lines
    ]
    tokenizer = AutoTokenizer.from_pretrained(given["base"])
    model = AutoModelForCausalLM.from_pretrained(given["base"], dtype=torch.float32)
    config = SFTConfig(
        output_dir=given["work"], num_train_epochs=given["epochs"], per_device_train_batch_size=given["batch"],
        learning_rate=given["rate"], warmup_steps=given["warmup"], max_length=given["max_tokens"], seed=given["seed"],
        lr_scheduler_type="polynomial", lr_scheduler_kwargs={"lr_end": given["rate"] / 10, "power": 1.0}, adam_beta2=0.99,
        completion_only_loss=True, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, bf16=False,
        gradient_checkpointing=False, disable_tqdm=True,
    )  # fmt: skip
    lora = LoraConfig(r=given["rank"], lora_alpha=given["alpha"], target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(turns), processing_class=tokenizer, peft_config=lora
    )
    tokens = sum(len(row["input_ids"]) for row in trainer.train_dataset)
    began = time.process_time()
    trainer.train()
    cpu_s = time.process_time() - began
    adapter = f"{given['work']}/adapter"
    trainer.save_model(adapter)
    steps = trainer.state.global_step
    print(json.dumps({"tokens": tokens * given["epochs"], "cpu_s": cpu_s, "steps": steps, "adapter": adapter}))


if __name__ == "__main__":
    main()
