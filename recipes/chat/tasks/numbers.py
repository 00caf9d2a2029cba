"""Small sums. Pairs of numbers are split by the wall. Must not know other tasks."""

from __future__ import annotations

from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

PLUS = (
    "What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "What's {a} plus {b}?", "Add {a} and {b}.", "How much is {a} + {b}?",
    "{a} plus {b}", "Calculate {a} + {b}.", "What is {a} plus {b}?", "{a} + {b} = ?", "{a}+{b}=", "What is {a}+{b}?",
    "Compute {a} + {b}.", "What is the sum of {a} and {b}?", "How much is {a} plus {b}?", "Tell me what {a} + {b} is.",
    "{a} + {b} =", "Please add {a} and {b}.",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][add|sum|add up|total|sum up] {a} and {b}[.|]",
    "[What|How much] [is|do you get for|makes|does it make:|would be|is the result of] {a} [+|plus|added to|and] {b}?",
    "[Calculate|Compute|Work out|Solve|Find|Evaluate|Do the math:|Result of|Answer this:] {a}[ + | plus |+]{b}[.|]",
    "[I have|Anna has|There are|A box holds|He buys|She finds|We see] {a} [apples|books|coins|cards|stones|eggs|pens] and [get|gets|find|take|add|then] {b} more. How many [in all|are there|is that|altogether|in total]?",
    "[Sum|The sum|Total|Addition]: {a}[ + |, | and ]{b}",
)  # fmt: skip
MINUS = ("What is {a} - {b}?", "{a} - {b}", "What's {a} minus {b}?", "{a}-{b}", "How much is {a} - {b}?",
         "Subtract {b} from {a}.", "{a} minus {b}", "What is {a} minus {b}?", "Calculate {a} - {b}.", "{a} - {b} =",
         "How much is {a} minus {b}?", "{a}-{b}=?",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][subtract|take|take away|remove] {b} from {a}[.|]",
    "[What|How much] [is|do you get for|is left of|remains of|would be|is the result of] {a} [-|minus|less] {b}?",
    "[Calculate|Compute|Work out|Solve|Find|Evaluate|Do the math:|Result of|Answer this:] {a}[ - | minus |-]{b}[.|]",
    "[I have|Anna has|There are|A box holds|He buys|She finds|We see] {a} [apples|books|coins|cards|stones|eggs|pens] and [lose|loses|eats|sells|gives away|takes out] {b}. How many [are left|remain|is that|stay]?",
)  # fmt: skip


def add(d: Draw) -> Chat:
    """One sum of numbers up to 99, or one difference that stays above zero."""
    high = d.any((9, 20, 99, 99))
    left, right = d.pair(0, high)
    if d.chance(0.4):
        left, right = max(left, right), min(left, right)
        return ask("minus", d.phrase(MINUS, a=left, b=right), f"{left} - {right} = {left - right}.")
    return ask("plus", d.phrase(PLUS, a=left, b=right), f"{left} + {right} = {left + right}.")


def drill(d: Draw) -> Chat:
    """Many sums in one row: almost every token is learned from, so the table of sums costs little."""
    turns: list[tuple[str, str]] = []
    only = d.any("+-++")
    for _ in range(d.number(8, 20)):
        left, right = d.pair(0, d.any((9, 30, 99, 99, 99)))
        if only == "-":
            left, right = max(left, right), min(left, right)
        total = left + right if only == "+" else left - right
        turns += [("user", f"{left} {only} {right}"), ("assistant", f"{left} {only} {right} = {total}.")]
    return Chat("sums", turns)
