"""The model card: `python -m recipes.chat.card --run DIR --model DIR --shipped S.json --full F.json --served G.json`.

Every figure in it comes from a checkpoint, a score file or the directory itself; only the prose is written here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from recipes.chat.evaluate import mean
from recipes.chat.model import Decoder, Shape
from recipes.chat.served import SERVED

HEAD = """# {id}

A sample chat model of {parameters:,} parameters, small enough to travel inside the package ({megabytes:.1f} MB with the
weights for fine-tuning). It is there so that a fresh machine without a network has something real to answer: to try the
API, streams, tool calls, JSON schemas, and the test suite of an application. It is not there to be right about the world.

| | |
|---|---|
| architecture | Llama: {layers} layers, width {dim}, {heads} heads ({kv_heads} for keys and values), gated MLP {hidden}, tied embeddings |
| vocabulary | {vocabulary:,} byte-level pieces; digits are single; a word has the same pieces after a blank and after a quote |
| context | {context_tokens:,} tokens; trained on conversations of up to 1,100, most of them under 200 |
| trained on | {tokens:,} tokens of text made by the generator in `recipes/chat`, {learned:,} of them answers; nothing else |
| training | {steps:,} steps, {cpu_minutes:.0f} CPU-minutes on one core ({minutes:.0f} minutes of a shared machine), in {legs} legs{begun} |
| weights | `model.onnx` in {precision} for serving; `model.safetensors` in bf16 for fine-tuning |
| licence | Apache-2.0, as the project |

No text of others was used: word lists, facts and sentence templates were written for this project, and made-up words
come from syllables, or from halves of listed ones. What the training mix holds follows what the model still gets wrong on fresh text of the training side.

## Scores

Exact match of the whole answer, greedy, {count} conversations a task and column. Made-up words, names, list words and pairs to
add are ones that training has not seen (other numbers and dates are not kept apart; facts are learned by heart, so capitals in known
phrasing are prompts that training saw). *Known phrasing* uses
sentence templates of the training text, *new phrasing* only templates, or choices inside templates, that were kept from it.
*Shipped* really generates with ONNX Runtime GenAI; *full* is the same weights before quantisation. A score is good to about ±{error:.0f} points.

| task | shipped, known phrasing | shipped, new phrasing | full, known phrasing | full, new phrasing |
|---|---|---|---|---|
"""
TAIL = """| **mean** | {means} |

## Prompts written by hand

At least twenty a task, typed as people and SDK examples type them (`recipes/chat/hand/`); the shipped weights, greedy. An answer is right when it
holds the words that it must hold, or is the JSON value or the call that was wanted. The plainest of them ("Hello") stand in the
training text too, since people do type them.

| task | right |
|---|---|
{by_hand}
## With a grammar, as served

The scores above are of free text. Craton serves tools and `json_schema` with a grammar: names, keys and form are forced, and
only the choice of the tool and the values can be wrong. The same held-out conversations, through the engine's HTTP, greedy;
a call is right when the tool and every argument are, JSON when every value is.

| task | free text, known phrasing | free text, new phrasing | as served, known phrasing | as served, new phrasing |
|---|---|---|---|---|
{served}
## What it cannot do

- Anything outside these tasks: it says shortly that it cannot help, or it answers something else. It has no knowledge of the
  world beyond capitals and a hundred small facts, cannot reason, write code, translate, or tell a story other than its one.
{weak}- Passages of more than a few sentences, several questions on one passage, and text with words far from its training: it mixes things up.
- It speaks English only; other languages get an English answer or nonsense.
- It has had no safety training of any kind, and should not be shown to the public as an assistant.
"""


def counts(run: Path) -> dict[str, Any]:
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    begun = state.get("begun")
    told = (
        f", from the weights of a run of {begun['steps']:,} steps and {begun['cpu_s'] / 60:.0f} CPU-minutes"
        if begun
        else ""
    )
    return {**state["counts"], "begun": told}


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of the card's head."""
    config = json.loads((options.model / "config.json").read_text())
    shape = Shape(vocabulary=config["vocab_size"], layers=config["num_hidden_layers"])
    trained = counts(options.run)
    size = sum(path.stat().st_size for path in options.model.iterdir())
    return {
        "id": json.loads((options.model / "craton.json").read_text())["id"],
        "parameters": sum(parameter.numel() for parameter in Decoder(shape).parameters()), "megabytes": size / 1e6,
        "layers": shape.layers, "dim": shape.dim, "heads": shape.heads, "kv_heads": shape.kv_heads, "hidden": shape.hidden,
        "vocabulary": shape.vocabulary, "context_tokens": shape.context_tokens, "tokens": trained["tokens"],
        "learned": trained["learned"], "steps": trained["steps"], "cpu_minutes": trained["cpu_s"] / 60,
        "minutes": trained["seconds"] / 60, "legs": trained["leg"] + 1, "begun": trained["begun"], "precision": options.precision,
        "count": options.count, "error": 100 * (0.25 / options.count) ** 0.5,
    }  # fmt: skip


def write(options: argparse.Namespace) -> str:
    shipped, full = json.loads(options.shipped.read_text()), json.loads(options.full.read_text())
    columns = [scores[kind] for scores in (shipped, full) for kind in ("known phrasing", "new phrasing")]
    rows = "".join(
        f"| {task} | " + " | ".join(f"{column[task]:.0f}" for column in columns) + " |\n" for task in columns[0]
    )
    means = " | ".join(f"**{mean(column):.0f}**" for column in columns)
    hand = shipped["by hand"]
    by_hand = (
        "".join(f"| {task} | {value:.0f} |\n" for task, value in hand.items())
        + f"| **mean** | **{mean(hand):.0f}** |\n"
    )
    tail = TAIL.format(means=means, by_hand=by_hand, served=with_grammar(options, shipped), weak=weak(columns[1]))
    return HEAD.format(**facts(options)) + rows + tail


def weak(new_phrasing: Mapping[str, float]) -> str:
    """What the card must say plainly: the tasks that go wrong as often as right, and those under nine in ten."""
    bad = [task for task, value in new_phrasing.items() if value < 50]
    short = [task for task, value in new_phrasing.items() if 50 <= value < 90]
    lines = [f"- Wrong more often than right when asked in new words: {', '.join(bad)}.\n"] if bad else []
    return "".join(lines + ([f"- Under 90 % when asked in new words: {', '.join(short)}.\n"] if short else []))


def with_grammar(options: argparse.Namespace, shipped: dict[str, dict[str, float]]) -> str:
    """The rows of the second table: the same tasks in free text and through the engine."""
    served = json.loads(options.served.read_text())
    kinds = ("known phrasing", "new phrasing")
    lines = []
    for name, compared, *_ in SERVED:
        figures = [shipped[kind][compared] for kind in kinds] + [served[kind][name] for kind in kinds]
        lines.append(f"| {name} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |\n")
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the card of the sample chat model.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="the shipped directory; its MODEL_CARD.md is written")
    parser.add_argument("--shipped", type=Path, required=True, help="scores of the shipped weights")
    parser.add_argument("--full", type=Path, required=True, help="scores before quantisation")
    parser.add_argument("--served", type=Path, required=True, help="scores of the shipped weights through the engine")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    (options.model / "MODEL_CARD.md").write_text(write(options))


if __name__ == "__main__":
    main()
