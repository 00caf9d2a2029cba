"""The architectures that Bedrock imports, and what each means here.

Owns one table: the class that a config.json names → what GetImportedModel calls it, the native schema of its InvokeModel
bodies, whether Converse takes it, and how its tensors are laid out. Bedrock imports some that no engine here runs; they
are in the table to be refused by their name. It must not know files. Source: Bedrock user guide, "Import a model with
Custom Model Import" (architectures) and "Invoke your imported model" (formats, and which take Converse).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from craton.features.importing.fault import BadModel

Layout = Literal["llama", "mixtral", "qwen3-moe", "bigcode"]
"""Which names and shapes its tensors have (`tensors`)."""


class Architecture(msgspec.Struct, frozen=True):
    """`name` is the field modelArchitecture. `layout` None: Bedrock imports it, no engine here runs it.

    `exported`: the exporter of ONNX Runtime GenAI knows it, so that it may be quantised for processors without a GPU.
    """

    name: str
    schema: str
    layout: Layout | None
    converse: bool = True
    exported: bool = False


_TEXT = "meta.llama"
"""What Bedrock's guide calls BedrockCompletion: a prompt in, `generation` out."""

ARCHITECTURES: dict[str, Architecture] = {
    "LlamaForCausalLM": Architecture("llama", _TEXT, "llama", exported=True),
    "MistralForCausalLM": Architecture("mistral", "mistral.text", "llama", exported=True),
    "MixtralForCausalLM": Architecture("mixtral", "mistral.text", "mixtral"),
    "Qwen2ForCausalLM": Architecture("qwen2", _TEXT, "llama", converse=False, exported=True),
    "Qwen3ForCausalLM": Architecture("qwen3", _TEXT, "llama", converse=False, exported=True),
    "Qwen3MoeForCausalLM": Architecture("qwen3_moe", _TEXT, "qwen3-moe", converse=False),
    "GPTBigCodeForCausalLM": Architecture("gpt_bigcode", _TEXT, "bigcode"),
    "MllamaForConditionalGeneration": Architecture("mllama", _TEXT, None),
    "T5ForConditionalGeneration": Architecture("t5", _TEXT, None),
    "Qwen2VLForConditionalGeneration": Architecture("qwen2_vl", _TEXT, None),
    "Qwen2_5_VLForConditionalGeneration": Architecture("qwen2_5_vl", _TEXT, None),
    "GptOssForCausalLM": Architecture("gpt_oss", "openai.chat", None, converse=False),
}

EMBEDDERS = ("bert", "xlm-roberta", "roberta", "mpnet", "distilbert", "nomic", "modernbert", "t5encoder")


def architecture_of(classes: list[str], model_type: str) -> Architecture:
    """The architecture that a config names. Raises BadModel."""
    found = next((ARCHITECTURES[one] for one in classes if one in ARCHITECTURES), None)
    if found is not None:
        if found.layout is None:
            raise BadModel(f"config.json: models of the architecture {classes[0]} cannot be served here.")
        return found
    named = classes[0] if classes else model_type or "none"
    if named.lower().startswith(EMBEDDERS) or model_type.lower().startswith(EMBEDDERS):
        raise BadModel(f"config.json: {named} is an embedding model. Embedding models cannot be imported.")
    served = ", ".join(sorted(name for name, one in ARCHITECTURES.items() if one.layout is not None))
    raise BadModel(f"config.json: the architecture {named} is not supported. Supported are {served}.")
