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
    "[I|We] [could not be|was never|have never been|cannot remember being|was rarely] [happier|more pleased|better served|more satisfied] [with|about] [a|this|the] {x}.",
    "[Best|Nicest|Finest|Greatest|Loveliest|Sweetest] {x} [ever|in town|I know|of my life|so far|of all|for the money][!|.|]",
    "[This|The|Our new] {x} [is a dream|is a winner|is a delight|is pure joy|does all I want|never fails|makes me smile|is worth it|beats all others|saved my day|is a bargain].",
    "[Thank you|Thanks|Bravo|Congratulations|Well done|Hats off|Big praise] [for this {x}|to the team|for such a {g} {x}|everyone|to all][!|.]",
    "[Will|I will|We will|Would] [buy again|come back|order again|be back|tell my friends|use it every day|keep it forever][!|.]",
    "[Fast delivery|Quick help|Kind people|A fair price|Good value|No problems|Everything went well|Everything worked|All as promised|Great fun], [I am happy|and {g} too|what a joy|love it|so {g}|we are happy].",
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
    "[I|We] [could not be|was never|have never been|cannot remember being|was rarely] [unhappier|more disappointed|more annoyed|worse served] [with|about] [a|this|the] {x}.",
    "[Worst|Poorest|Saddest|Ugliest|Most stupid|Weakest] {x} [ever|in town|I know|of my life|so far|of all|for the money][!|.|]",
    "[This|The|Our new] {x} [is a nightmare|is a joke|is a shame|is pure pain|does nothing right|always fails|makes me cry|is not worth it|fell apart|cost me a day|is a scam|stopped working].",
    "[Shame on you|No thanks|What a shame|I am shocked|I feel cheated|Give me a refund|Big mistake] [for this {x}|to the team|for such a {b} {x}|everyone|to all][!|.]",
    "[Will not|I will never|We will not|Would not] [buy again|come back|order again|be back|tell my friends|use it again|keep it][!|.]",
    "[Late delivery|No help|Rude people|An unfair price|Bad value|Only problems|Everything went wrong|Nothing worked|Nothing as promised|No fun], [I am unhappy|and {b} too|what a pain|hate it|so {b}|we are angry].",
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
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][classify|judge|label|rate|evaluate|categorize|score|mark|sort] [this|the following|the next|the|this short|this new] [review|text|comment|message|sentence|post|feedback|opinion|note] [as positive or negative|by sentiment|by its mood|for sentiment|: positive or negative][:|.\n|\n|:\n] {t}",
    "[Positive|Good|Happy] or [negative|bad|unhappy|sad]: {t}",
    '["{t}"|{t}] [- positive or negative?|- good or bad?|- how does that sound?|- which mood is that?|- is that praise?|- happy or not?|: sentiment?|- what is the tone?]',
    "[What|Which] [feeling|mood|tone|sentiment|attitude|opinion|emotion] [does this show|is in this|is expressed here|do you find here|speaks from this|has this text|do you see in this][?|?\n|:] {t}",
    '[A customer|A guest|A user|Somebody|A reader|My friend|A client] [wrote|says|said|writes|told us|posted|commented]: [{t}|"{t}"] [Positive or negative?|Was it positive?|Sentiment?|Is that good or bad?|Happy or not?|What is the sentiment?]',
)  # fmt: skip


def judge(d: Draw) -> Chat:
    good = d.chance(0.5)
    thing = (
        d.term(d.any(("thing", "food")))
        if d.chance(0.6)
        else d.any(("movie", "book", "food", "service", "hotel", "game"))
    )
    slots = {"x": thing, "g": d.of(words.GOOD), "b": d.of(words.BAD), "g2": d.of(words.GOOD), "b2": d.of(words.BAD)}
    text = " ".join(d.way(GOODS if good else BADS).format(**slots) for _ in range(1 if d.chance(0.7) else 2))
    text = text[0].upper() + text[1:]
    return ask("sentiment", d.phrase(ASKS, t=text), "Positive" if good else "Negative")
