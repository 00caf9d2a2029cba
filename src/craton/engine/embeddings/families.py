"""The families of encoders that can be converted: how their checkpoints name tensors, and where they differ.

Owns facts as rows, read from the model files of transformers (`modeling_bert.py` and its kin). Everything they share
(`graph`) and what follows the encoder (`heads`) lies elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Which of transformers' `hidden_act` the graph can compute, and by which operator.
ACTIVATIONS = {
    "gelu": "Gelu",
    "gelu_new": "FastGelu",
    "gelu_fast": "FastGelu",
    "gelu_pytorch_tanh": "FastGelu",
    "relu": "Relu",
}


@dataclass(frozen=True)
class Family:
    """One `model_type`. Names of layers hold `{}` for the layer's number; names lack the family's own prefix."""

    layer: str = "encoder.layer.{}."
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attention_out: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    inner: str = "intermediate.dense"
    outer: str = "output.dense"
    outer_norm: str = "output.LayerNorm"
    # Positions begin after the padding token's id, as fairseq numbered them.
    positions_after_padding: bool = False
    # A learned bias by the distance of two tokens, shared by all layers: its tensor.
    relative_bias: str = ""
    # Names in config.json where they are not BERT's.
    keys: dict[str, str] = field(default_factory=dict)
    # A classifier on the first token: its dense layers, and the function between them.
    head: tuple[str, str] = ("classifier.dense", "classifier.out_proj")
    head_activation: str = "Tanh"

    def setting(self, config: dict[str, Any], name: str, default: Any = None) -> Any:
        """A value of config.json by BERT's name for it."""
        return config.get(self.keys.get(name, name), default)


_ROBERTA = Family(positions_after_padding=True)
FAMILIES: dict[str, Family] = {
    "bert": Family(head=("pooler.dense", "classifier")),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Family(head_activation="Gelu"),
    "mpnet": Family(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attention_out="attention.attn.o",
        attention_norm="attention.LayerNorm",
        positions_after_padding=True,
        relative_bias="encoder.relative_attention_bias.weight",
    ),
    "distilbert": Family(
        layer="transformer.layer.{}.",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attention_out="attention.out_lin",
        attention_norm="sa_layer_norm",
        inner="ffn.lin1",
        outer="ffn.lin2",
        outer_norm="output_layer_norm",
        keys={
            "hidden_size": "dim",
            "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads",
            "hidden_act": "activation",
        },
        head=("pre_classifier", "classifier"),
        head_activation="Relu",
    ),
}
