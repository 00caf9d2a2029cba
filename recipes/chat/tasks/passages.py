"""Questions about a passage in the prompt: answered from it, or "I don't know" when it does not tell."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.tasks import relations, worlds
from recipes.chat.turns import Chat, ask

DRESS = (
    "{p}\n\n{q}", "{p}\n{q}", "Passage: {p}\nQuestion: {q}", "Context: {p}\n\nQuestion: {q}", "{q}\n\n{p}",
    "Read this: {p}\n\n{q}", "Text: {p}\n\nAnswer this question: {q}", "{p} {q}", "<context>\n{p}\n</context>\n\n{q}",
    "Use the following text to answer.\n\n{p}\n\nQuestion: {q}\nAnswer:", "Answer from the passage.\n{p}\n{q}",
    "Document:\n{p}\n\nQ: {q}\nA:", "Given the text below, {q}\n\n{p}", '"{p}"\n\n{q}', "<document>{p}</document>\n{q}",
    "Here are the search results:\n{p}\n\nAnswer the user's question: {q}", "Information:\n{p}\n\nUser question: {q}",
    "Based on this text: {p}\n\n{q}", "Article: {p}\n\nBased on the article, {q}",
)  # fmt: skip
GROUNDED = (
    "Answer only from the passage.", "Use only the given context.", "You answer questions about a text.",
    "Answer from the context. If it does not tell, say that you don't know.", "You are a question answering agent.",
    "If the text does not contain the answer, say you don't know.", "Answer using the search results.",
)  # fmt: skip
IN_SYSTEM = (
    "Answer from this text: {p}", "You answer questions about this document.\n\n{p}", "Context:\n{p}", "Use this information: {p}",
    ("You are a question answering agent. I will provide you with a set of search results. Your job is to answer the user's "
    "question using only information from the search results. If the search results do not contain information that can answer "
    "the question, say so.\n\nHere are the search results in numbered order:\n{p}"),
    "Answer the question from these search results:\n<search_results>\n{p}\n</search_results>", "{p}",
)  # fmt: skip
UNKNOWN = "I don't know. The text does not say."
SAYS = (
    "What does the text say about the {x}?", "What about the {x}?", "What do you know about the {x}?", "Tell me about the {x}.",
    "What happened to the {x}?", "Which sentence is about the {x}?", "What is said about the {x}?", "Find the part about the {x}.",
    "What is written about the {x}?", "What does it say about the {x}?", "Quote the sentence about the {x}.",
    "What happened with the {x}?",
)  # fmt: skip
WHO = ("Who {v} the {o}?", "Who was it that {v} the {o}?", "Who {v} a {o}?", "Tell me who {v} the {o}.",
       "According to the text, who {v} the {o}?", "Do you know who {v} the {o}?")  # fmt: skip
IS_IT = ("Is it true that {s}?", "Does the text say that {s}?", "Yes or no: {s}?", "True or not: {s}?",
         "Is this right: {s}?", "Is it correct that {s}?", "Answer yes or no. {s}?")  # fmt: skip


def passage(d: Draw, told: list[str]) -> str:
    sentences = list(told)
    for _ in range(d.any((0, 0, 1, 2, 4))):
        sentences.insert(d.number(0, len(sentences)), worlds.filler(d))
    style = d.number(0, 9)
    if style == 0:
        return "\n".join(f"- {sentence}" for sentence in sentences)
    if style == 1:
        return "\n".join(f"[{at}] {sentence}" for at, sentence in enumerate(sentences, 1))
    return d.any((" ", " ", " ", "\n")).join(sentences)


def dressed(d: Draw, task: str, text: str, exchanges: list[tuple[str, str]]) -> Chat:
    """The passage with the first question, the further ones as later turns; or the passage in the system prompt."""
    exchanges = list(dict(exchanges).items())
    task = "unknown" if exchanges[-1][1] == UNKNOWN else task
    if d.chance(0.1):
        turns = [turn for question, answer in exchanges for turn in (("user", question), ("assistant", answer))]
        return Chat(task, turns, system=d.way(IN_SYSTEM).format(p=text))
    first = d.way(DRESS).format(p=text, q=exchanges[0][0])
    turns = [("user", first), ("assistant", exchanges[0][1])]
    for question, answer in exchanges[1:]:
        turns += [("user", question), ("assistant", answer)]
    return Chat(task, turns, system=d.way(GROUNDED) if d.chance(0.2) else "")


def attributes(d: Draw) -> Chat:
    """One to four things, some attributes of each; one to four questions, a few of which the passage does not answer."""
    cast = worlds.things(d, d.any((1, 1, 2, 2, 2, 3, 4)), d.any((1, 2, 3)))
    rows = [(one, attribute, value) for one in cast for attribute, value in one.has.items()]
    told = [worlds.tell(d, attribute, one.name, value) for one, attribute, value in rows]
    if d.chance(0.3):
        d.random.shuffle(told)
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.any((1, 1, 2, 3, 4))):
        one, attribute, value = d.any(rows)
        answer = worlds.answer(attribute, one.name, value)
        if d.chance(0.3):
            unseen = [other for other in worlds.KINDS[one.kind] if other not in one.has]
            if unseen:
                attribute, answer = d.any(unseen), UNKNOWN
        exchanges.append((d.phrase(attribute.asked, n=one.name), answer))
    return dressed(d, "passage", passage(d, told), exchanges)


def sentences(d: Draw) -> Chat:
    """Sentences about anything; the answer is the one sentence that holds the word asked for, or who did it."""
    nouns = d.some(words.NOUNS + words.THINGS, d.number(2, 6) * 2)
    rows = []
    for subject, thing in zip(nouns[::2], nouns[1::2], strict=True):
        who = worlds.person_name(d) if d.chance(0.4) else f"The {d.of(words.ADJECTIVES)} {subject}"
        verb, tail = d.of(words.VERBS_PAST), ""
        if d.chance(0.4):
            tail = f" {d.any(('in', 'near', 'with', 'for', 'behind'))} the {d.of(words.ADJECTIVES)} {d.nonce()}"
        rows.append((who, verb, thing, f"{who} {verb} the {thing}{tail}."))
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.any((1, 1, 2, 3))):
        who, verb, thing, sentence = d.any(rows)
        if d.chance(0.12):
            absent = d.of(words.FOODS)
            exchanges.append((d.phrase(SAYS, x=absent), UNKNOWN))
        elif d.chance(0.5):
            exchanges.append((d.phrase(WHO, v=verb, o=thing), f"{who}."))
        else:
            exchanges.append((d.phrase(SAYS, x=thing), sentence))
    return dressed(d, "passage-sentence", passage(d, [row[3] for row in rows]), exchanges)


def general(d: Draw) -> Chat:
    """Sentences about anything; the answer is the sentence that the question is about, said again."""
    rows = [relations.row(d) for _ in range(d.any((1, 2, 2, 3, 4, 5)))]
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.any((1, 1, 2, 3))):
        sentence, question, _ = d.any(rows)
        if d.chance(0.15):
            absent, question, name = relations.row(d)
            if not any(name in told for told, _, _ in rows) and absent:
                exchanges.append((question, UNKNOWN))
                continue
            question = rows[0][1]
            sentence = rows[0][0]
        exchanges.append((question, sentence))
    return dressed(d, "passage-general", passage(d, [sentence for sentence, _, _ in rows]), exchanges)


def yes_no(d: Draw) -> Chat:
    """Is a statement what the passage tells? The false ones change the value alone."""
    cast = worlds.things(d, d.number(1, 3), 2)
    rows = [(one, attribute, value) for one in cast for attribute, value in one.has.items()]
    told = [worlds.tell(d, attribute, one.name, value) for one, attribute, value in rows]
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.any((1, 2, 3))):
        one, attribute, value = d.any(rows)
        true = d.chance(0.5)
        claimed = value if true else worlds.value_of(d, attribute.key)
        statement = worlds.answer(attribute, one.name, claimed)[:-1]
        exchanges.append((d.phrase(IS_IT, s=statement), "Yes." if claimed == value else "No."))
    return dressed(d, "yes-no", passage(d, told), exchanges)


def summary(d: Draw) -> Chat:
    """A summary is the first sentence: the honest best of a model this small."""
    if d.chance(0.5):
        one = worlds.thing(d, d.any(tuple(worlds.KINDS)), 4)
        told = [worlds.tell(d, attribute, one.name, value) for attribute, value in one.has.items()]
    else:
        told = [f"The {d.of(words.ADJECTIVES)} {d.of(words.NOUNS)} {d.of(words.VERBS_PAST)} the {d.of(words.NOUNS)}."]
    text = " ".join(told + [worlds.filler(d) for _ in range(d.number(0, 3))])
    asks = ("Summarize: {t}", "Summarize this text: {t}", "Summarize the following text in one sentence.\n\n{t}", "{t}\n\nTL;DR",
            "Give me a short summary: {t}", "Please summarize:\n{t}", "{t}\n\nSummarize the above.", "Sum this up: {t}",
            "Write a one sentence summary of this: {t}", "Summary of: {t}", "Can you summarize this? {t}", "Shorten: {t}")  # fmt: skip
    return ask("summary", d.phrase(asks, t=text), told[0])
