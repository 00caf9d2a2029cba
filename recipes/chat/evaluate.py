"""Scores: exact matches of the last answer on held-out conversations, task by task, in known and in new phrasing.

`python -m recipes.chat.evaluate --checkpoint DIR` scores the averaged weights of a run in torch;
`--model DIR` scores a shipped directory by really generating with ONNX Runtime GenAI.
This file owns the held-out sets and the counting. It must not know training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from recipes.chat import byhand
from recipes.chat.draw import Draw
from recipes.chat.mix import Maker
from recipes.chat.model import Decoder, Shape
from recipes.chat.tasks import copying, extract, facts, formats, numbers, openers, passages, sentiment, smalltalk, tools
from recipes.chat.turns import ASSISTANT, Chat
from recipes.chat.turns import prompt as prompt_of
from recipes.chat.verdict import in_torch

# Name in the card, the function that makes it, and the labels of its conversations that count.
TASKS: tuple[tuple[str, Maker, tuple[str, ...]], ...] = (
    ("greetings and who-are-you", smalltalk.talk, ("talk",)),
    ("the user's name", smalltalk.named, ("name",)),
    ("capitals", facts.capital, ("capital",)),
    ("other small facts", facts.fact, ("fact",)),
    ("echo", copying.echo, ("echo",)),
    ("upper case", copying.case, ("upper",)),
    ("look-up in a list", copying.lookup, ("lookup",)),
    ("addition", numbers.add, ("plus",)),
    ("subtraction", numbers.add, ("minus",)),
    ("sentiment", sentiment.judge, ("sentiment",)),
    ("passage: attributes", passages.attributes, ("passage",)),
    ("passage: any relation", passages.general, ("passage-general",)),
    ("passage: who, and which sentence", passages.sentences, ("passage-sentence",)),
    ("passage: cited from numbered ones", passages.cited, ("cited",)),
    ("passage: yes or no", passages.yes_no, ("yes-no",)),
    ("passage: not told", passages.attributes, ("unknown",)),
    ("summary by first sentence", passages.summary, ("summary",)),
    ("JSON extraction", extract.fields, ("extract",)),
    ("tool call", tools.use, ("tool",)),
    ("answer from a tool result", tools.use, ("tool-result",)),
    ("tools there, none needed", tools.without, ("tool-none",)),
    ("form fixed by the system prompt", formats.formed, ("format",)),
    ("name from the system prompt", formats.persona, ("persona",)),
    ("story in one fixed form", openers.story, ("story",)),
    ("says what it cannot do", openers.cannot, ("cannot",)),
)


def held_out(maker: Maker, labels: Sequence[str], count: int, *, new_phrasing: bool) -> list[Chat]:
    """`count` conversations with words that training has not seen, in phrasing that it has or has not; always the same."""
    draw = Draw("evaluation", held_out=True, new_phrasing=new_phrasing)
    found: dict[str, Chat] = {}
    tries = 0
    while len(found) < count:
        chat, tries = maker(draw), tries + 1
        if chat.task in labels:
            # Where a list is so short that no further prompt exists, one may come twice.
            found.setdefault(prompt_of(chat) if tries < 100 * count else f"{tries}", chat)
    return list(found.values())


def in_onnx(directory: Path, chats: Sequence[Chat], most_tokens: int = 120) -> list[str]:
    """What the shipped model really says, greedily, to the prompt of each conversation."""
    import onnxruntime_genai as og

    model = og.Model(str(directory))
    tokenizer = og.Tokenizer(model)
    vocabulary = Tokenizer.from_file(str(directory / "tokenizer.json"))
    said = []
    for chat in chats:
        before = tokenizer.encode(prompt_of(chat))
        parameters = og.GeneratorParams(model)
        parameters.set_search_options(do_sample=False, max_length=len(before) + most_tokens)
        generator = og.Generator(model, parameters)
        generator.append_tokens(before)
        tokens: list[int] = []
        while not generator.is_done():
            generator.generate_next_token()
            tokens.append(int(generator.get_next_tokens()[0]))
        said.append(vocabulary.decode([token for token in tokens if token], skip_special_tokens=False))
    return said


def averaged(run: Path) -> tuple[Decoder, Tokenizer]:
    """The averaged weights and the tokenizer of a training run."""
    vocabulary = Tokenizer.from_file(str(run / "tokenizer.json"))
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    model = Decoder(Shape(**state.get("shape", {"vocabulary": vocabulary.get_vocab_size()})))
    model.load_state_dict(state["average"])
    return model, vocabulary


def scores(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Percent right, by kind of phrasing and task."""
    model, vocabulary = averaged(options.checkpoint) if options.checkpoint else (None, None)
    found: dict[str, dict[str, float]] = {"known phrasing": {}, "new phrasing": {}}
    for name, maker, labels in TASKS:
        for kind, percent in found.items():
            chats = held_out(maker, labels, options.count, new_phrasing=kind == "new phrasing")
            if model is not None and vocabulary is not None:
                verdicts = in_torch(model, vocabulary, chats)
            else:
                said = in_onnx(options.model, chats)
                verdicts = [text == chat.answer for text, chat in zip(said, chats, strict=True)]
                show(options, f"{name}, {kind}", chats, said)
            percent[name] = round(100 * sum(verdicts) / len(verdicts), 1)
        print(f"{name:36} {found['known phrasing'][name]:5.1f} {found['new phrasing'][name]:5.1f}", flush=True)
    means = [mean(percent) for percent in found.values()]
    print(f"{'mean':36} {means[0]:5.1f} {means[1]:5.1f}")
    if options.model:
        found["by hand"] = by_hand(options)
    return found


def mean(percent: Mapping[str, float]) -> float:
    return sum(percent.values()) / len(percent)


def by_hand(options: argparse.Namespace) -> dict[str, float]:
    """Percent right of the prompts written by hand, task by task."""
    percent: dict[str, float] = {}
    for name, prompts in byhand.TASKS.items():
        said = in_onnx(options.model, [prompt.chat for prompt in prompts])
        verdicts = [prompt.right(text) for prompt, text in zip(prompts, said, strict=True)]
        wrong = [(prompt, text) for prompt, text, good in zip(prompts, said, verdicts, strict=True) if not good]
        for prompt, text in wrong[: options.misses]:
            print(f"  [{name}, by hand] {prompt.chat.turns[-2][1]!r} → {text!r}")
        percent[name] = round(100 * sum(verdicts) / len(verdicts), 1)
        print(f"{name:36} {percent[name]:5.1f} by hand", flush=True)
    print(f"{'mean':36} {mean(percent):5.1f} by hand")
    return percent


def show(options: argparse.Namespace, name: str, chats: Sequence[Chat], said: Sequence[str]) -> None:
    """The first misses of a task, for a reader."""
    misses = [(chat, text) for chat, text in zip(chats, said, strict=True) if text != chat.answer]
    for chat, text in misses[: options.misses]:
        print(
            f"  [{name}] …{prompt_of(chat)[-300:].removesuffix(ASSISTANT)!r}\n    wanted {chat.answer!r}\n    said   {text!r}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the sample chat model on held-out conversations.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--checkpoint", type=Path, help="directory of a training run")
    where.add_argument("--model", type=Path, help="directory in ONNX Runtime GenAI's format")
    parser.add_argument("--count", type=int, default=40, help="conversations a task")
    parser.add_argument("--misses", type=int, default=0, help="misses of a task to print (with --model)")
    parser.add_argument("--out", type=Path, help="write the scores as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    percent = scores(options)
    if options.out:
        options.out.write_text(json.dumps(percent, indent=2) + "\n")


if __name__ == "__main__":
    main()
