"""Is a short review positive or negative? Must not know other tasks."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

GOODS = ("I love this {x}!", "The {x} was {g}.", "What a {g} {x}.", "I really enjoyed the {x}, it was {g}.", "{g} {x}!",
         "This is the best {x} I ever had.", "The {x} is {g} and {g2}.", "I would buy this {x} again.", "Very happy with the {x}.",
         "The {x} works well.", "My family loved the {x}.", "I recommend this {x} to everyone.", "The {x} made my day.",
         "Great {x}, thank you!", "I like the {x} a lot.", "It is a {g} {x} and I am happy.", "Not bad at all, a {g} {x}.",
    "[Absolutely|Truly|Really|Simply|Just|So|Very] {g}[!|.|, this {x}.]",
    "[I|We|My wife|My friends|Everyone|The kids] [love|adore|like|enjoy|recommend] [it|this {x}|the {x}], [it is|so|really|just] {g}.",
    "[Five stars|Thumbs up|Ten out of ten|Highly recommended|Worth every cent|Well done|Could not be better|Exceeded my hopes].",
    "[The staff was|The quality is|The taste is|The service was|The price is|The people were] {g}[ and {g2}|][.|!]",
    "[I am|We are|I was|She is] [so happy|very pleased|delighted|really satisfied|thrilled|glad] [with it|with the {x}|about this {x}].",
)  # fmt: skip
BADS = ("I hate this {x}!", "The {x} was {b}.", "What a {b} {x}.", "I did not enjoy the {x}, it was {b}.", "{b} {x}!",
        "This is the worst {x} I ever had.", "The {x} is {b} and {b2}.", "I would never buy this {x} again.",
        "Very unhappy with the {x}.", "The {x} broke after one day.", "My family hated the {x}.", "I want my money back.",
        "The {x} ruined my day.", "Do not buy this {x}.", "I do not like the {x}.", "It is a {b} {x} and I am angry.",
        "Not good at all, a {b} {x}.",
    "[Absolutely|Truly|Really|Simply|Just|So|Very] {b}[!|.|, this {x}.]",
    "[I|We|My wife|My friends|Everyone|The kids] [hate|dislike|regret|returned|threw away] [it|this {x}|the {x}], [it is|so|really|just] {b}.",
    "[One star|Thumbs down|Zero out of ten|Not recommended|A waste of money|Never again|Could not be worse|Stay away].",
    "[The staff was|The quality is|The taste is|The service was|The price is|The people were] {b}[ and {b2}|][.|!]",
    "[I am|We are|I was|She is] [so unhappy|very disappointed|upset|really angry|annoyed|sorry] [with it|with the {x}|about this {x}].",
)  # fmt: skip
ASKS = ("Is this review positive or negative? {t}", "Sentiment: {t}", "What is the sentiment of this text? {t}",
        "Classify the sentiment as positive or negative: {t}", "Positive or negative?\n{t}", 'Review: "{t}"\nSentiment:',
        "{t}\n\nIs this positive or negative?", "Tell me if this is positive or negative: {t}",
        "Classify the following review as positive or negative.\n\n{t}", "Decide whether the review is positive or negative: {t}",
        'What is the sentiment of "{t}"?', "Text: {t}\nSentiment (positive or negative)?",
        "Analyze the sentiment of this sentence: {t}", "How does the writer feel, positive or negative? {t}",
        "Label this review positive or negative: {t}", "Determine the sentiment: {t}", "sentiment of: {t}",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][classify|judge|label|rate|decide|determine|analyze|tell me|assess] the [sentiment|feeling|mood|tone|opinion|attitude] of this [review|text|comment|message|sentence|post|feedback][:|.\n|\n] {t}",
    '[Review|Text|Comment|Message|Customer says|Feedback|Post|Tweet|Input]: [{t}|"{t}"]\n[Sentiment|Positive or negative|Label|Class|Tone|Is it positive or negative|Mood|Feeling][:|?]',
    "{t}\n[Positive or negative?|Is the writer happy?|What is the sentiment?|Sentiment?|Is it a good or a bad review?|Which sentiment is this?|Good or bad?]",
    "[Is|Would you say] [this|the following|the text|the comment|the review below|this feedback] [is |]positive or negative[?|:|?\n] {t}",
    "[Does the writer like it|Was the customer happy|Is this a happy customer|Did they like it|Is the author pleased|How does this person feel]? [Answer positive or negative.|Positive or negative?] {t}",
)  # fmt: skip


def judge(d: Draw) -> Chat:
    good = d.chance(0.5)
    thing = (
        d.of(words.THINGS + words.FOODS)
        if d.chance(0.6)
        else d.any(("movie", "book", "food", "service", "hotel", "game"))
    )
    slots = {"x": thing, "g": d.of(words.GOOD), "b": d.of(words.BAD), "g2": d.of(words.GOOD), "b2": d.of(words.BAD)}
    text = " ".join(d.way(GOODS if good else BADS).format(**slots) for _ in range(1 if d.chance(0.7) else 2))
    text = text[0].upper() + text[1:]
    return ask("sentiment", d.phrase(ASKS, t=text), "Positive" if good else "Negative")
