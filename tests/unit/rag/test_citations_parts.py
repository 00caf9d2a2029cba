"""Parts of an answer: their spans are exact, they cover the text, and a part rests only on what bears it out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.rag.generation.citing import Citer, Part, Said, Words
from craton.features.rag.generation.sentences import end_of_first
from craton.features.rag.generation.support import Judge

PUMP = (
    "The Aurora pump delivers 45 litres per minute and must be serviced every 600 hours. Its filter is exchanged then."
)
BILLS = "Invoices are paid within 30 days. Late payments cost 2 percent per month. Dr. Smith signs them."
_SENTENCES = "The Aurora pump| must be serviced every 600 hours|Invoices are paid| within 30 days|e.g. |1. |。|日本|🙂"
_MARKS = ". |.|\n|[[1]]| [[2]]|[[7]]| |? "
WORDS = st.lists(st.sampled_from([*_SENTENCES.split("|"), *_MARKS.split("|"), "x" * 700]), max_size=24)


def said(*pieces: str, question: str = "", judged: bool = True) -> list[Said]:
    citer = Citer(Judge([PUMP, BILLS], question) if judged else None)
    return [one for piece in pieces for one in citer.feed(piece)] + citer.close()


def parts(*pieces: str, **more) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.text, one.sources) for one in said(*pieces, **more) if isinstance(one, Part)]


@given(WORDS)
def test_spans_are_exact(pieces: list[str]) -> None:
    """Each part is the text from its start to its end, in order, with nothing but white space between two parts."""
    found = said(*pieces)
    text = "".join(one.text for one in found if isinstance(one, Words))
    cut = [one for one in found if isinstance(one, Part)]
    assert all(text[one.start : one.end + 1] == one.text and one.text == one.text.strip() for one in cut)
    edges = [-1, *(edge for one in cut for edge in (one.start, one.end)), len(text)]
    assert all(not text[end + 1 : start].strip() for end, start in list(pairwise(edges))[::2])
    assert "[[1]]" not in text


@given(WORDS)
def test_a_stream_says_what_the_whole_says(pieces: list[str]) -> None:
    """Letter by letter, in pieces or at once: the same text and the same parts."""
    whole = "".join(pieces)
    shown = [[one for one in said(*cut) if isinstance(one, Part)] for cut in ([whole], pieces, whole)]
    assert shown[0] == shown[1] == shown[2]


def test_a_cited_part_comes_directly_behind_its_text() -> None:
    """Whoever prints a stream can put the reference where the citation event stands."""
    seen = ""
    for one in said(*"Invoices are paid within 30 days [[2]]. The moon is made of cheese. It must be serviced [[1]]."):
        if isinstance(one, Words):
            seen += one.text
        elif one.sources:
            assert seen.endswith(one.text)


def test_marks_are_held_against_the_passages() -> None:
    """A mark stands only where the passage bears the sentence out; wrong figures and wrong passages lose theirs."""
    assert parts("The pump is serviced every 600 hours [[1]].") == [("The pump is serviced every 600 hours.", (0,))]
    assert parts("The pump is serviced every 900 hours [[1]].") == [("The pump is serviced every 900 hours.", ())]
    assert parts("Bananas are yellow [[1]].") == [("Bananas are yellow.", ())]
    assert parts("The sea is deep [[9]].") == [("The sea is deep.", ())]
    assert parts("Invoices are paid within 30 days [[1]][[2]].") == [("Invoices are paid within 30 days.", (1,))]


def test_sentences_without_marks_find_their_passage() -> None:
    """A model that sets no marks is cited by what its sentences say, and a wrong mark is put right."""
    assert parts("600 hours.", question="How often is it serviced?") == [("600 hours.", (0,))]
    assert parts("Invoices are paid within 30 days [[1]].") == [("Invoices are paid within 30 days.", (1,))]
    assert parts("I can help with that!") == [("I can help with that!", ())]


def test_what_rests_on_nothing_is_one_part() -> None:
    """Sentences without sources are told as one part, with the white space between them."""
    found = parts("Hello there.  I like the sea.\n\nInvoices are paid within 30 days. Nice weather.")
    assert found == [
        ("Hello there.  I like the sea.", ()), ("Invoices are paid within 30 days.", (1,)), ("Nice weather.", ()),
    ]  # fmt: skip


def test_without_a_judge_nothing_is_cited() -> None:
    """A template that does not ask for marks gets an answer in one part."""
    assert parts("Invoices are paid within 30 days [[2]].", judged=False) == [("Invoices are paid within 30 days.", ())]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Dr. Smith came. He left.", "Dr. Smith came."),
        ("Use e.g. this one. Or that.", "Use e.g. this one."),
        ("It costs 2.50 dollars. Cheap.", "It costs 2.50 dollars."),
        ('He said "no." She said yes.', 'He said "no."'),
        ("1. First thing\n2. Second", "1. First thing"),
        ("J. Doe wrote it! Really.", "J. Doe wrote it!"),
        ("Really?! Yes.", "Really?!"),
        ("東京は首都です。大阪は違います。", "東京は首都です。"),
        ("and so on etc. and more", None),
        ("Not over yet.", None),
        ("No stop here", None),
    ],
)
def test_where_a_sentence_ends(text: str, first: str | None) -> None:
    """Stops end a sentence, abbreviations, initials, decimals and list numbers do not."""
    end = end_of_first(text)
    assert (None if end is None else text[:end]) == first
