"""Random tiny encoders as transformers and sentence-transformers write them, and what torch computes with them.

Owns the directories; nothing is fetched. Needs the extra craton[local].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Families after fairseq number their special tokens so, and their positions from the padding's on.
FAIRSEQ = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
AFTER_FAIRSEQ = ("roberta", "xlm-roberta", "camembert", "mpnet")
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,:!?'-éü東京")
WORDS = ["the", "water", "weather", "in", "paris", "is", "sunny", "answer", "to", "that", "question", "boils", "##ing"]
TEXTS = [
    "the weather in Paris is sunny",
    "Water boils.",
    "yes",
    "the answer to that question: 42, the answering of that question; 東京!",
    "",
]
SIZES: dict[str, Any] = {
    "vocab_size": 160,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}


def write_tokenizer(path: Path, special: list[str]) -> None:
    """A WordPiece tokenizer over letters and a few words, with BERT's template."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [*special, *LETTERS, *(f"##{each}" for each in LETTERS), *WORDS]
    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(each, special.index(each)) for each in ("[CLS]", "[SEP]")],
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]", model_max_length=64, **names)
    fast.save_pretrained(path)


def configuration(model_type: str, **more: Any) -> Any:
    """A tiny configuration of a family."""
    from transformers import AutoConfig

    sizes = {**SIZES, **({"embedding_size": 24} if model_type == "electra" else {})}
    if model_type in AFTER_FAIRSEQ:
        sizes |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    names = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
    if model_type == "distilbert":
        sizes = {names.get(key, key): value for key, value in sizes.items()} | {"hidden_dim": 48}
    return AutoConfig.for_model(model_type, **{**sizes, **more})


def write_encoder(path: Path, model_type: str = "bert", **more: Any) -> Path:
    """An encoder alone, as `AutoModel` saves it."""
    import torch
    from transformers import AutoModel

    torch.manual_seed(7)
    AutoModel.from_config(configuration(model_type, **more)).save_pretrained(path)
    write_tokenizer(path, FAIRSEQ if model_type in AFTER_FAIRSEQ else SPECIAL)
    return path


def write_reranker(path: Path, model_type: str = "bert", labels: int = 1) -> Path:
    """A cross-encoder: a sequence classifier with one label."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(7)
    shape = configuration(model_type, num_labels=labels)
    AutoModelForSequenceClassification.from_config(shape).save_pretrained(path)
    write_tokenizer(path, FAIRSEQ if model_type in AFTER_FAIRSEQ else SPECIAL)
    return path


def add_modules(path: Path, pooling: dict[str, Any], *, normalise: bool = True, dense: int = 0) -> Path:
    """Make it a directory of sentence-transformers: pooling, a Dense module of that width, normalisation."""
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), *(["Normalize"] if normalise else [])]
    folders = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    modules = [
        {"idx": at, "name": str(at), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for at, (kind, folder) in enumerate(zip(kinds, [f for f in folders if dense or f != "2_Dense"], strict=False))
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    (path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32, "do_lower_case": False}))
    if dense:
        _write_dense(path / "2_Dense", dense)
    return path


def _write_dense(path: Path, width: int) -> None:
    import torch
    from safetensors.torch import save_file

    path.mkdir()
    tensors = {"linear.weight": torch.randn(width, 32) * 0.2, "linear.bias": torch.randn(width)}
    save_file(tensors, path / "model.safetensors")
    facts = {"in_features": 32, "out_features": width, "bias": True}
    (path / "config.json").write_text(json.dumps({**facts, "activation_function": "torch.nn.modules.activation.Tanh"}))


def torch_hidden(path: Path, texts: list[str], length: int) -> tuple[Any, Any]:
    """transformers' last hidden states and the mask, of texts computed together."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    given = tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")
    model = AutoModel.from_pretrained(path).eval()
    if "token_type_ids" in given and not getattr(model.config, "type_vocab_size", 0) > 1:
        del given["token_type_ids"]
    with torch.inference_mode():
        return model(**given).last_hidden_state, given["attention_mask"]


def torch_scores(path: Path, query: str, documents: list[str], length: int) -> Any:
    """transformers' logits for pairs, computed one by one."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    found = []
    for document in documents:
        cut = {"truncation": "longest_first", "max_length": length, "return_token_type_ids": True}
        given = tokenizer([query], [document], return_tensors="pt", **cut)
        if not getattr(model.config, "type_vocab_size", 0) > 1:
            given.pop("token_type_ids", None)
        with torch.inference_mode():
            found.append(float(model(**given).logits[0, 0]))
    return found
