"""Questions about a passage in the prompt: answered from it, or "I don't know" when it does not tell."""

from __future__ import annotations

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
    "[Passage|Text|Context|Document|Article|Note|Story|Source|Information|Facts|Excerpt|Paragraph|Background][: |:\n|:\n\n]{p}\n[\n|][Question|Q|Query|User question|My question|Ask|User|Now answer][: |:\n]{q}[\nAnswer:|\nA:|\nYour answer:|\nShort answer:|]",
    "[Read|Look at|Study|Consider|Take|Use|Here is|See|Below is|I have|You get] [this|the following|a|one|the next] [text|passage|note|story|paragraph|document|article|report][: |:\n|.\n\n]{p}\n[\n|][Now: |Then answer: |Question: |Tell me: |Answer: |My question: |]{q}",
    "[Answer|Reply to|Respond to] [the question|this question|my question] [from|with|by|using only|based on] [the text|the passage|the context|the note|this paragraph][. |.\n|:\n]{p}[\n| |\n\n]{q}",
    "<text>{p}</text>\n{q}", "<passage>{p}</passage>\n\n{q}", "<source>{p}</source> {q}",
    "{q}[ Use this text: |\nContext: |\n\nText: | Look here: |\nSource: | (see below)\n| Here is what I know: ]{p}",
    '[I read this|My friend wrote this|It says here|The paper says|We know this|From the web|A page says|They told me]: [{p}|"{p}"][ |\n|\n\n]{q}',
    "[Here comes|This is|I found|Someone sent me|We got|There is|I have|Let me show you] [a text|a passage|a note|some text|an article|a report|a page|a document][: |:\n|.\n]{p}\n[|\n][{q}|Now, {q}|So: {q}|Well: {q}|Here is my question: {q}]",
    "{q}\n[---|###|***|===|~~~|```|...]\n{p}[\n---|\n###|\n***|\n===|\n~~~|]",
    "[Help me with|Explain from|I ask about|My question is about|Look into|Check|Search] [this text|the following text|this passage|this page|this note|the note below][: |:\n|.\n]{p}[\n| |\n\n]{q}",
    "[TEXT|PASSAGE|CONTEXT|DOC|INFO|DATA|MEMO|INPUT|CONTENT][: |:\n| = |\n]{p}\n[|\n][QUESTION|Q|QUERY|ASK|TASK|TODO|PROMPT][: |:\n| = ]{q}",
)  # fmt: skip
GROUNDED = (
    "Answer only from the passage.", "Use only the given context.", "You answer questions about a text.",
    "Answer from the context. If it does not tell, say that you don't know.", "You are a question answering agent.",
    "If the text does not contain the answer, say you don't know.", "Answer using the search results.",
    "[Answer|Reply|Respond] [only |][from|with|using|based on] the [text|passage|context|document|given information|source]. [If it is not there|If you cannot find it|If the text does not say|If the answer is missing|Otherwise][,] say [that you don't know|you do not know|\"I don't know\"|so].",
    "You are [a careful reader|a reading assistant|a helpful question answering bot|an assistant that reads documents|a search assistant|a librarian who reads texts].",
    "[Read|Study|Check|Use|Look at] the [text|passage|context|page|document|source] [and answer|and reply|, then answer|before you answer|to answer][ the question| my question| shortly|][.|]",
    "[Never|Do not|Don't] [guess|invent|make up] [anything|answers|facts|things][: |. |; ][say that you don't know|say you do not know|only use the text|stick to the text|use what is given][.|]",
)  # fmt: skip
IN_SYSTEM = (
    "Answer from this text: {p}", "You answer questions about this document.\n\n{p}", "Context:\n{p}", "Use this information: {p}",
    ("You are a question answering agent. I will provide you with a set of search results. Your job is to answer the user's "
    "question using only information from the search results. If the search results do not contain information that can answer "
    "the question, say so.\n\nHere are the search results in numbered order:\n{p}"),
    "Answer the question from these search results:\n<search_results>\n{p}\n</search_results>", "{p}",
    "[Use|Know|Remember|Rely on|Answer from|Here is|This is|You know] [this|the following|the following text|this note|what follows][:|.\n|:\n\n] {p}",
    "[Facts|Notes|Knowledge|Data|Document|Background|Company handbook|FAQ][:\n|: ]{p}[\n\nAnswer the user's questions.|\nBe short.|]",
)  # fmt: skip
UNKNOWN = "I don't know."
SAYS = (
    "What does the text say about the {x}?", "What about the {x}?", "What do you know about the {x}?", "Tell me about the {x}.",
    "What happened to the {x}?", "Which sentence is about the {x}?", "What is said about the {x}?", "Find the part about the {x}.",
    "What is written about the {x}?", "What does it say about the {x}?", "Quote the sentence about the {x}.",
    "What happened with the {x}?",
    "[Which|What] [line|sentence|part|statement|phrase] [mentions|is about|speaks of|deals with|talks about|contains|names|has] the {x}?",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][quote|find|show me|give me|copy|repeat|read me|point to] [the line|the sentence|the part|the statement|what is said|the words] [about|on|with|regarding|that mentions|concerning] the {x}[.|]",
    "[What|Anything|And what|So what] [do we read|do they say|do we learn|does the text tell|is told|is stated|is reported|is noted] about the {x}?",
    "[What|And what] [became of|was done to|was done with|occurred with|was the fate of|happened then to|did they do with] the {x}?",
)  # fmt: skip
WHO = ("Who {v} the {o}?", "Who was it that {v} the {o}?", "Who {v} a {o}?", "Tell me who {v} the {o}.",
       "According to the text, who {v} the {o}?", "Do you know who {v} the {o}?",
    "[Which person|Which one|Which of them|What person|Whose work: who|Name who|Please say who|Find out who] {v} the {o}?",
    "[By whom was the {o} {v}|The {o} was {v} by whom|Who is the one that {v} the {o}|The {o}: who {v} it|Who is said to have {v} the {o}]?",
    "[Who|Who exactly|Who in the text|And who|So who|Who then|Who here|Who of them] {v} [the|this|that] {o}?",
    "[Somebody|Someone|One of them|A person] {v} the {o}[. Who|: who|, who| - who] [was it|is that|is it|could that be|was that]?",
    "[Give me|Tell me|State|Find|Say|Write|Show] [the name of |][the one|whoever|the person|the man or woman|the somebody|the party] [who|that] {v} the {o}[.|]",
)  # fmt: skip
IS_IT = ("Is it true that {s}?", "Does the text say that {s}?", "Yes or no: {s}?", "True or not: {s}?",
         "Is this right: {s}?", "Is it correct that {s}?", "Answer yes or no. {s}?",
    "[Is|Was] it [true|right|correct|so|a fact|the case|said|written] that {s}?",
    "[True or false|Yes or no|Right or wrong|Correct or not|Is this so|Check this|Tell me yes or no|Decide yes or no][: |? ]{s}[.|?]",
    "[According to the text|By the passage|From this|In the text|Going by this|As written], [is it true that |is it so that |]{s}?",
    "{s}[, right?|, yes or no?|, is that so?|, correct?|. True?|. Yes or no?|, is it?]",
    "[The claim|A claim|Statement|Claim|Someone says|He says]: {s}. [Is that true?|Is it right?|Yes or no?|Does the text agree?|Correct?]",
    "[Would you agree|Do you agree|Can we say|Do we know|Can I say|Is it clear|Do they say|Are we told] that {s}?",
    "[I think|I believe|I heard|My friend says|It seems|They told me|I read] [that |]{s}[. Am I right?|. Is that so?|. True?|, yes or no?|. Is this correct?|. Does that fit?|. Right?]",
    "[Verify|Check|Judge|Confirm or deny|Test|Evaluate|Assess][ this|: is it true|: true or false|][:|] {s}[.|?|]",
    '["{s}"|{s}] [- true or false?|- yes or no?|- is that right?|- correct?|: true?|- does the text say so?|: right or wrong?|- is it so?]',
)  # fmt: skip


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
    for _ in range(d.any((1, 2, 3, 4, 5))):
        one, attribute, value = d.any(rows)
        if d.chance(0.25):
            unseen = [other for other in worlds.KINDS[one.kind] if other not in one.has]
            if unseen:
                attribute, value = d.any(unseen), UNKNOWN
        exchanges.append((worlds.question(d, attribute, one.name), value))
    return dressed(d, "passage", passage(d, told), exchanges)


def sentences(d: Draw) -> Chat:
    """Sentences about anything; the answer is the one sentence that holds the word asked for, or who did it."""
    nouns = [*dict.fromkeys(d.term(d.any(("noun", "noun", "thing"))) for _ in range(d.number(2, 6) * 2))]
    rows = []
    for subject, thing in zip(nouns[::2], nouns[1::2], strict=False):
        who = worlds.person_name(d) if d.chance(0.4) else f"The {d.term('adjective')} {subject}"
        verb, tail = d.term("verb"), ""
        if d.chance(0.4):
            tail = f" {d.any(('in', 'near', 'with', 'for', 'behind'))} the {d.term('adjective')} {d.nonce()}"
        rows.append((who, verb, thing, f"{who} {verb} the {thing}{tail}."))
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.any((1, 1, 2, 3))):
        who, verb, thing, sentence = d.any(rows)
        if d.chance(0.12):
            absent = d.term("food")
            exchanges.append((d.phrase(SAYS, x=absent), UNKNOWN))
        elif d.chance(0.75):
            exchanges.append((d.phrase(WHO, v=verb, o=thing), who))
        else:
            exchanges.append((d.phrase(SAYS, x=thing), sentence))
    return dressed(d, "passage-sentence", passage(d, [row[3] for row in rows]), exchanges)


def general(d: Draw) -> Chat:
    """Sentences about anything; the answer is the span that a question asks for."""
    rows = [relations.row(d) for _ in range(d.any((1, 2, 2, 3, 4, 5)))]
    exchanges: list[tuple[str, str]] = []
    for _, question, _, span in d.random.sample(rows, d.number(1, len(rows))):
        exchanges.append((question, span))
        if d.chance(0.15):
            _, absent, name, _ = relations.row(d)
            if not any(name in told for told, _, _, _ in rows):
                exchanges.append((absent, UNKNOWN))
    return dressed(d, "passage-general", passage(d, [row[0] for row in rows]), exchanges)


CITED = (
    "[Answer|Reply|Respond] [with the number of the source|and cite the source|with a citation|and name the passage|and cite the passage number|giving the source in brackets][.|:] {q}",
    "{q} [Cite the source.|Cite your source.|Give the source number.|With a citation.|Name the passage number.|Add the number of the passage.|Which source says so?]",
    "[Use|Read|See|From|Search] [the|these] [numbered |][sources|passages|results|documents] [and cite them|and give the number|with citations|and cite the one you used]. {q}",
    "[Question|Q|Query|Ask]: {q} [Cite|Cite the passage|Give the source|Source please|With source]",
    "{q} (cite)", "{q}\nAnswer and cite.",
    "[Where is it told|Which passage tells|What source says]? {q} [Answer with the source.|Answer and give the number.|Give the answer and the number.|Say it and cite.|Name both.]",
    "{q} [Please cite.|Include the source.|Include a citation.|Mention the source number.|Quote the number.|Refer to the source.|Put the number of the passage behind it.|Which passage is it from?|Say which one tells it.]",
    "[Cite|With citation|Citing the source|With the source number|With its number|Including the number][:|,] {q}",
    "[Find the answer|Look it up|Answer this|Answer my question|Tell me|Reply] [in the sources|in the passages|from the passages|from the results|with citation|and cite][: |. |.\n|:\n]{q}",
    "{q}[\n| ][Answer, then the source in brackets.|Answer with the number in brackets.|Add the number in brackets.|End with the source number.|Source number at the end.|Answer and number, please.]",
)  # fmt: skip
NUMBERED = (
    "[{i}] {s}",
    "[{i}] {s}",
    "({i}) {s}",
    "Passage {i}: {s}",
    "Source {i}: {s}",
    "{i}. {s}",
    "Result {i}: {s}",
    "Document [{i}]: {s}",
    "{i}) {s}",
    "#{i} {s}",
    "Text {i}: {s}",
    "{i} - {s}",
    "<{i}> {s}",
    "Item {i}. {s}",
    "Document {i}\n{s}",
)


def cited(d: Draw) -> Chat:
    """Numbered passages (three mostly); the answer is the span and the number of the passage that tells it."""
    count = d.any((3, 3, 3, 2, 4))
    dress, rows = d.way(NUMBERED), [relations.row(d) for _ in range(count)]
    lines = []
    for at, (sentence, _, _, _) in enumerate(rows, 1):
        more = f" {worlds.filler(d)}" if d.chance(0.3) else ""
        lines.append(dress.format(i=at, s=sentence + more))
    text = d.any(("\n", "\n", "\n\n")).join(lines)
    exchanges = []
    for at in d.random.sample(range(count), d.number(1, count)):
        question = d.way(CITED).replace("{q}", rows[at][1])
        exchanges.append((question, f"{rows[at][3]} [{at + 1}]"))
    if d.chance(0.12):
        _, absent, name, _ = relations.row(d)
        if name not in text:
            exchanges.append((d.way(CITED).replace("{q}", absent), UNKNOWN))
    return dressed(d, "cited", text, exchanges)


def yes_no(d: Draw) -> Chat:
    """Is a statement what the passage tells? The false ones change the value alone."""
    cast = worlds.things(d, d.any((1, 1, 2, 3)), 2)
    rows = [(one, attribute, value) for one in cast for attribute, value in one.has.items()]
    told = [worlds.tell(d, attribute, one.name, value) for one, attribute, value in rows]
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.number(2, 6)):
        one, attribute, value = d.any(rows)
        claimed = value if d.chance(0.5) else worlds.value_of(d, attribute.key)
        asked = worlds.claim(d, attribute, one.name, claimed) if d.chance(0.6) else None
        if asked is None:
            statement = (
                worlds.tell(d, attribute, one.name, claimed)
                if d.chance(0.5)
                else worlds.answer(attribute, one.name, claimed)
            )
            asked = d.phrase(IS_IT, s=statement[:-1])
        exchanges.append((asked, "Yes." if claimed == value else "No."))
    return dressed(d, "yes-no", passage(d, told), exchanges)


def checked(d: Draw) -> Chat:
    """Statements word for word as they are told, or with another value in its place: comparing, before phrasing hides it."""
    cast = worlds.things(d, d.any((1, 1, 2)), d.any((1, 2)))
    rows = []
    for one in cast:
        for attribute, value in one.has.items():
            sentence = worlds.tell(d, attribute, one.name, value)
            if value in sentence:
                rows.append((sentence, value, attribute.key))
    if not rows:
        return checked(d)
    exchanges: list[tuple[str, str]] = []
    for _ in range(d.number(2, 6)):
        sentence, value, key = d.any(rows)
        claimed = value if d.chance(0.5) else worlds.value_of(d, key)
        asked = d.phrase(IS_IT, s=sentence.replace(value, claimed)[:-1])
        exchanges.append((asked, "Yes." if claimed == value else "No."))
    return dressed(d, "yes-no", passage(d, [sentence for sentence, _, _ in rows]), exchanges)


def summary(d: Draw) -> Chat:
    """A summary is the first sentence: the honest best of a model this small."""
    if d.chance(0.5):
        one = worlds.thing(d, d.any(tuple(worlds.KINDS)), 4)
        told = [worlds.tell(d, attribute, one.name, value) for attribute, value in one.has.items()]
    else:
        told = [f"The {d.term('adjective')} {d.term('noun')} {d.term('verb')} the {d.term('noun')}."]
    text = " ".join(told + [worlds.filler(d) for _ in range(d.number(0, 3))])
    asks = ("Summarize: {t}", "Summarize this text: {t}", "Summarize the following text in one sentence.\n\n{t}", "{t}\n\nTL;DR",
            "Give me a short summary: {t}", "Please summarize:\n{t}", "{t}\n\nSummarize the above.", "Sum this up: {t}",
            "Write a one sentence summary of this: {t}", "Summary of: {t}", "Can you summarize this? {t}", "Shorten: {t}",
            "[Please |Could you |Can you |Would you |Now |I want you to |Kindly |][summarize|sum up|condense|shorten|compress|boil down|reduce|cut down|recap|abridge] [this|the text|the following|this passage|the passage|this note|what follows][ for me| in a sentence| in one line| briefly|][:|:\n|.\n] {t}",
            "{t}[\n|\n\n| ][Summary?|Summarize.|In short?|The gist?|What is the main point?|Sum it up.|In one sentence?|Recap?|Make it short.|The short version, please.|Condense this.|Main idea?]",
            "[Summary|Gist|In short|In brief|Main point|Short version|Abstract|Digest|Recap|Essence|TL;DR|Headline][ of this| of the text| wanted| please|][:|:\n] {t}",
            "[What is|Tell me|Give me|I need|Write|Show me|Provide] [the gist|the main point|the main idea|a summary|the summary|the short version|a recap|the essence] of [this|the text|this text|the following|the passage|this note][:|?|.] {t}",
            "[Make|Keep] [this|it|the text|the following] [short|shorter|brief|one sentence|a single sentence][:|.] {t}")  # fmt: skip
    return ask("summary", d.phrase(asks, t=text), told[0])
