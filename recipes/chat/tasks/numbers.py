"""Small sums. Pairs of numbers are split by the wall. Must not know other tasks."""

from __future__ import annotations

from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

PLUS = (
    "What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "What's {a} plus {b}?", "Add {a} and {b}.", "How much is {a} + {b}?",
    "{a} plus {b}", "Calculate {a} + {b}.", "What is {a} plus {b}?", "{a} + {b} = ?", "{a}+{b}=", "What is {a}+{b}?",
    "Compute {a} + {b}.", "What is the sum of {a} and {b}?", "How much is {a} plus {b}?", "Tell me what {a} + {b} is.",
    "{a} + {b} =", "Please add {a} and {b}.",
)  # fmt: skip
MINUS = ("What is {a} - {b}?", "{a} - {b}", "What's {a} minus {b}?", "{a}-{b}", "How much is {a} - {b}?",
         "Subtract {b} from {a}.", "{a} minus {b}", "What is {a} minus {b}?", "Calculate {a} - {b}.", "{a} - {b} =",
         "How much is {a} minus {b}?", "{a}-{b}=?")  # fmt: skip


def add(d: Draw) -> Chat:
    """Numbers of one digit mostly, up to 99 sometimes; some are subtractions that stay above zero."""
    high = 9 if d.chance(0.85) else 20 if d.chance(0.8) else 99
    left, right = d.pair(0, high)
    if d.chance(0.15):
        left, right = max(left, right), min(left, right)
        return ask("minus", d.phrase(MINUS, a=left, b=right), f"{left} - {right} = {left - right}.")
    return ask("plus", d.phrase(PLUS, a=left, b=right), f"{left} + {right} = {left + right}.")
