"""Whether a network says exactly what it should, without generating. Must not know held-out sets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from recipes.chat.model import Decoder
from recipes.chat.turns import END, Chat, prompt


@torch.no_grad()
def in_torch(model: Decoder, vocabulary: Tokenizer, chats: Sequence[Chat]) -> list[bool]:
    """Whether greedy decoding would give exactly the answer: every token of it is the likeliest after the ones before."""
    verdicts = []
    for chat in chats:
        before = vocabulary.encode(prompt(chat)).ids
        wanted = vocabulary.encode(chat.answer + END).ids
        ids = torch.tensor([before + wanted], device=model.embedding.device)
        positions = torch.arange(ids.shape[1], device=ids.device)[None]
        states = model.forward(ids[:, :-1], positions[:, :-1])[0, len(before) - 1 :]
        verdicts.append((states @ model.embedding.T).argmax(-1).tolist() == wanted)
    return verdicts
