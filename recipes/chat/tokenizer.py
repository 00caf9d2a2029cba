"""The tokenizer: byte-level BPE whose pieces never cross from letters into blanks, digits or punctuation.

A word has the same pieces after a blank, after a quote and at the start of a line, so that copying it is copying
tokens. The few exceptions are merges chosen by hand: JSON's punctuation, and a blank with a function word.
This file owns the merges and the files of a tokenizer directory. It must not know the model.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from recipes.chat import mix
from recipes.chat.draw import Draw
from recipes.chat.turns import CALL_END, CALL_START, END, SPECIALS, segments
from recipes.chat.words import bank

CALLS = (CALL_START, CALL_END)
VOCABULARY = 2048
# Left and right part of each merge, in order of rank; "_" stands for a blank. None has a blank inside.
JSON_MERGES = (
    ('"', ":"), ("{", '"'), ('"', ","), ('"', "}"), ('":', '"'), ('":', '{"'), ('",', '"'), ('"}', "}"), ("}", "}"),
    (",", '"'), ("_", '"'), ("_", '{"'), ('":', "{"), ("_", "{"),
)  # fmt: skip
FUNCTION_WORDS = bank("""the am be it will were is of a in to and for with on as at what that it an from you are was has about not by this does do can
your text answer reply Reply Answer name comes me how much which have or if only many The Question river company my said""")


def spelled(text: str) -> str:
    """Text in the byte alphabet of byte-level BPE (a blank is one letter there, and so is a line's end)."""
    return text.replace("_", "Ġ").replace("\n", "Ċ")


def pieces() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[A-Za-z]+|[^A-Za-z]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def learn(sample: int = 30_000, seed: int = 1) -> Tokenizer:
    """Learn letter merges from the generator's own text, then add those chosen by hand.

    The shipped pre-tokenizer is GPT-2's, because ONNX Runtime's tokenizer applies that whatever the file says. It
    splits where no merge crosses anyway, so both give the same pieces as the finer split used for learning.
    """
    extra = len(JSON_MERGES) + len(FUNCTION_WORDS)
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pieces()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - extra - len(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    draw = Draw(f"tokenizer-{seed}")
    learner.train_from_iterator(("".join(text for text, _ in segments(mix.one(draw))) for _ in range(sample)), trainer)
    model = json.loads(learner.to_str())["model"]
    merges: list[tuple[str, str]] = [tuple(pair) for pair in model["merges"]]
    by_hand = [(spelled(left), spelled(right)) for left, right in JSON_MERGES]
    by_hand += [("Ġ", word) for word in FUNCTION_WORDS if word in model["vocab"]]
    return assemble(model["vocab"], merges + by_hand)


def assemble(learned: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """Specials first (END is token 0), then the learned pieces, then those of the further merges."""
    order = list(SPECIALS) + sorted(
        (piece for piece in learned if piece not in SPECIALS), key=lambda piece: learned[piece]
    )
    known = set(order)
    for left, right in merges:
        if left + right not in known:
            known.add(left + right)
            order.append(left + right)
    built = Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(order)}, merges=merges))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    built.decoder = decoders.ByteLevel()
    # A call's markers are plain added tokens, as other vendors' are: decoding keeps them, it drops the turn markers.
    built.add_tokens([AddedToken(text, special=text not in CALLS, normalized=False) for text in SPECIALS])
    return built


def save(tokenizer: Tokenizer, directory: Path, template: str, context_tokens: int) -> None:
    """Write tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat_template.jinja."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context_tokens, "eos_token": END, "pad_token": END,
        "additional_special_tokens": [text for text in SPECIALS[1:] if text not in CALLS], "clean_up_tokenization_spaces": False, "add_bos_token": False,
        "add_eos_token": False, "chat_template": template,
    }  # fmt: skip
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (directory / "special_tokens_map.json").write_text(json.dumps({"eos_token": END, "pad_token": END}) + "\n")
    (directory / "chat_template.jinja").write_text(template)
