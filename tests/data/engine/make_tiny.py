"""Makes the directory `tiny` beside this file: a random Llama of 0.1M parameters in the engine's format.

    python tests/data/engine/make_tiny.py

Needs the extra craton[local]. The weights are random on purpose and spread wide, so that answers differ from prompt to
prompt; tests of the engine need its mechanics, not its sense. Byte-level tokenizer: every text round-trips.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from craton.engine.convert import convert
from craton.engine.modeldir import sha256

HERE = Path(__file__).parent
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<tool_call>", "</tool_call>"]
TEXT = "the weather in Paris is sunny and the answer to that question is forty two because water boils name city "
TEMPLATE = """\
{%- if tools %}<|system|>{% for tool in tools %}{{ tool.function | tojson }}
{% endfor %}<|end|>{% endif -%}
{%- for message in messages -%}
<|{{ message.role }}|>{{ message.content }}
{%- for call in message.tool_calls or [] -%}
<tool_call>{"name":"{{ call.function.name }}","arguments":{{ call.function.arguments | tojson }}}</tool_call>
{%- endfor -%}
<|end|>
{%- endfor -%}
{%- if add_generation_prompt %}<|assistant|>{% endif -%}
"""


def main() -> None:
    """Make the source, convert it, and say in craton.json what the sample models say."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    torch.manual_seed(7)
    shape = LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        max_position_embeddings=512,
        initializer_range=0.35,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    with tempfile.TemporaryDirectory() as scratch:
        source, made = Path(scratch) / "source", Path(scratch) / "tiny"
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
        fast.chat_template = TEMPLATE
        fast.save_pretrained(source)
        LlamaForCausalLM(shape).save_pretrained(source)
        convert(source, made, precision="int4", model_id="craton.test-tiny-v1:0", say=print)
        facts = json.loads((made / "craton.json").read_text())
        facts["tool_call"]["compact"] = True
        facts["sha256"] = {file.name: sha256(file) for file in sorted(made.iterdir()) if file.name != "craton.json"}
        (made / "craton.json").write_text(json.dumps(facts, indent=2) + "\n")
        shutil.rmtree(HERE / "tiny", ignore_errors=True)
        shutil.copytree(made, HERE / "tiny")


if __name__ == "__main__":
    main()
