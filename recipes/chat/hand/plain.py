"""Prompts without a passage, written by hand: talk, echo, upper case, sums, facts, reviews, forms of a reply.

Each row is a prompt and the words that a right answer holds; a bar parts words that all must be there. Must not know the generator.
"""

from __future__ import annotations

Rows = tuple[tuple[str, str], ...]

TALK: Rows = (
    ("Hello", "hello"), ("hi there :)", "hello"), ("Good morning!", "hello"), ("Hey, anybody home?", "help"), ("yo", "help"),
    ("Greetings, computer", "hello"), ("Hello from Berlin", "hello"), ("Good evening, dear assistant", "hello"),
    ("Who are you?", "craton"), ("what's ur name", "craton"), ("Please tell me who I am talking to", "craton"), ("Are you GPT-4?", "craton"),
    ("Which LLM is behind this?", "craton"), ("Who created you?", "craton"), ("Are you a real person?", "craton"), ("Introduce yourself in a sentence", "craton"),
    ("What can you do for me?", "json"), ("What are you able to do?", "json"), ("how can you help", "json"), ("Give me a list of your features", "json"),
    ("Thank you so much!", "welcome"), ("thx, that was useful", "welcome"), ("Goodbye", "goodbye"), ("ok, see you tomorrow", "goodbye"),
    ("How are you doing this morning?", "fine"), ("how r you", "fine"),
)  # fmt: skip
ECHO: Rows = (
    ("Repeat after me: the quick brown fox", "the quick brown fox"), ("Say banana", "banana"), ("Echo: Zibbleforp", "zibbleforp"),
    ("Please repeat the word 'kwantum' back to me", "kwantum"), ("Reply with exactly: all systems go", "all systems go"),
    ("Your entire response should be the word pineapple", "pineapple"), ("Write the following text and nothing else: Mondoro Plaza", "mondoro plaza"),
    ('Say "cheese"', "cheese"), ("Print hello world", "hello world"), ("Copy this line exactly: alpha beta gamma", "alpha beta gamma"),
    ("Output the string foobar42", "foobar42"), ("Respond only with OK", "ok"), ("Say this word for me: perspicacious", "perspicacious"),
    ("repeat: wug wug wug", "wug wug wug"), ("Can you repeat Xanthelor?", "xanthelor"), ("Type the words red green blue", "red green blue"),
    ("Echo back what I say: it rains in Spain", "it rains in spain"), ("Only say yes", "yes"), ("Just answer with the name Brunhilde", "brunhilde"),
    ("Say the magic word abracadabra", "abracadabra"),
)  # fmt: skip
UPPER: Rows = tuple(
    (way.format(text=text), text.upper())
    for way, text in (
        ("Write {text} in upper case", "banana"), ("Convert to uppercase: {text}", "window"), ("{text} in capital letters?", "zibbleforp"),
        ("Make this all caps: {text}", "hello world"), ("Uppercase the word {text}", "kettle"), ("How do I write {text} in capitals?", "mango"),
        ("Turn '{text}' into upper case letters", "river"), ("Please capitalize all letters of {text}", "craton"), ("Shout this: {text}, in upper case", "stop"),
        ("to upper: {text}", "python"), ("Change {text} to block capitals", "london"), ("I need {text} in all caps", "warning"),
        ("upper case of {text}", "quartz"), ("Transform {text} to uppercase.", "blimfaxt"), ("Give me {text} in upper case", "good night"),
        ("Rewrite in capital letters: {text}", "the end"), ("What is {text} in upper case?", "orange"), ("Put {text} into capitals please", "velvet"),
        ("CAPS please: {text}", "thunder"), ("Convert this text to upper case. {text}", "silver moon"),
    )
)  # fmt: skip
PLUS: Rows = (
    ("What is 2+2?", "4"), ("What is 7 + 8?", "15"), ("12 plus 30", "42"), ("Add 45 and 27", "72"), ("how much is 19 + 6", "25"), ("33+44=", "77"),
    ("What's the sum of 58 and 39?", "97"), ("Please compute 71 + 18", "89"), ("I have 14 marbles and win 9 more. How many do I have?", "23"),
    ("64 + 64?", "128"), ("Calculate 99+99", "198"), ("If you add 25 to 50, what do you get?", "75"), ("8 and 5 together make?", "13"),
    ("Tell me 36 plus 47", "83"), ("sum 20 20", "40"), ("what does 17 + 17 equal", "34"), ("10 + 90 = ?", "100"), ("Solve 53 + 29.", "82"),
    ("What number is 41 + 11?", "52"), ("Quick, 6+9!", "15"),
)  # fmt: skip
MINUS: Rows = (
    ("What is 9 - 4?", "5"), ("20 minus 7", "13"), ("Subtract 15 from 40", "25"), ("100-1... I mean 99 - 1?", "98"), ("how much is 62 - 38", "24"),
    ("81-27=", "54"), ("What's 50 minus 25?", "25"), ("Please compute 77 - 19", "58"), ("I had 30 euros and spent 12. How many are left?", "18"),
    ("What remains if I take 8 from 17?", "9"), ("Calculate 90-45", "45"), ("66 - 66", "0"), ("What does 43 - 20 equal?", "23"), ("Take 6 away from 31", "25"),
    ("Tell me 58 minus 49", "9"), ("The difference of 75 and 30?", "45"), ("14 - 5 = ?", "9"), ("Solve 96 - 58.", "38"), ("What number is 22 less 11?", "11"),
    ("Quick, 12-3!", "9"),
)  # fmt: skip
CAPITALS: Rows = (
    ("What is the capital of France?", "paris"), ("what's the capital of japan", "tokyo"), ("Name the capital of Italy", "rome"), ("Capital city of Spain?", "madrid"),
    ("Which city is the seat of government of Austria?", "vienna"), ("I forgot, what is Poland's capital", "warsaw"), ("capital egypt", "cairo"),
    ("Tell me Kenya's capital city", "nairobi"), ("Do you know Peru's capital?", "lima"), ("The capital of Canada is ...", "ottawa"),
    ("In geography class: the capital of Norway?", "oslo"), ("Could you please name the capital of Cuba", "havana"), ("What city is Australia's capital?", "canberra"),
    ("Where does the government of Greece sit? Name the capital.", "athens"), ("capital of south korea?", "seoul"), ("Which is India's capital city?", "delhi"),
    ("Chile. Its capital?", "santiago"), ("Give the capital for Hungary", "budapest"), ("I am flying to the capital of Ireland. Which city is that?", "dublin"),
    ("Answer in one word: capital of Germany", "berlin"), ("Hi! What would be the capital of Turkey?", "ankara"),
)  # fmt: skip
FACTS: Rows = (
    ("What is the opposite of hot?", "cold"), ("What's the reverse of big", "small"), ("Give me an antonym for happy", "sad"), ("opposite of left", "right"),
    ("If something is not open it is ...?", "closed"), ("How many days does a week have?", "7"), ("how many months in a year", "12"), ("Number of hours in one day?", "24"),
    ("How many legs has a spider?", "8"), ("What noise does a cow make?", "moo"), ("What does the dog say?", "woof"), ("What colour is grass?", "green"),
    ("Which color does snow have?", "white"), ("What day follows Tuesday?", "wednesday"), ("Which month comes right after June?", "july"),
    ("Who wrote Hamlet?", "shakespeare"), ("Who was it that painted the Mona Lisa?", "leonardo"), ("Name the largest planet", "jupiter"),
    ("What's the tallest mountain on earth?", "everest"), ("Which language do people speak in Brazil?", "portuguese"), ("What do bees produce?", "honey"),
    ("At which temperature does water boil?", "100"),
)  # fmt: skip
REVIEWS: Rows = (
    ("Is this review positive or negative? The food was cold and the waiter was rude.", "negative"),
    ("Classify the sentiment: I absolutely love this phone, it is fantastic!", "positive"), ("Sentiment? Worst purchase of my life.", "negative"),
    ("positive or negative: the hotel was wonderful and the staff friendly", "positive"), ('How does the customer feel? "Terrible service, I will never come back."', "negative"),
    ("Rate this comment as positive or negative.\n\nEverything arrived on time and works great.", "positive"), ("The movie was boring and far too long. Sentiment:", "negative"),
    ("What is the mood of this text? I am so happy with my new bike!", "positive"), ("Label: 'Awful smell, dirty room.' positive/negative?", "negative"),
    ("Review: Best pizza in town.\nPositive or negative?", "positive"), ("Tell me the sentiment. The app crashes all the time.", "negative"),
    ("Would you call this positive or negative? An amazing concert with a perfect ending.", "positive"), ("My headphones broke after two days, very disappointing. Is that positive or negative?", "negative"),
    ("Tweet: loving the new update, great job team!\nSentiment:", "positive"), ("Decide: positive or negative. I want a refund, this is useless.", "negative"),
    ("Sentiment analysis: The soup tasted delicious.", "positive"), ("Customer feedback: 'slow delivery, damaged box'. Positive or negative?", "negative"),
    ("Is the author pleased? Answer positive or negative: What a lovely little book.", "positive"), ("The guide was helpful and funny. positive or negative", "positive"),
    ("I hated every minute of it. What sentiment is this?", "negative"),
)  # fmt: skip
# System prompt, question, words.
FORMS: tuple[tuple[str, str, str], ...] = (
    ("Answer in upper case.", "What is the capital of Spain?", "MADRID"), ("Please respond in all caps.", "What is the capital of Italy?", "ROME"),
    ("You only write capital letters.", "What is the opposite of hot?", "COLD"), ("Your output must be upper case.", "How many days are in a week?", "DAYS"),
    ('Answer as JSON with the key "answer".', "What is the capital of Portugal?", '{"answer":"Lisbon"}'), ("Reply with a JSON object whose only key is city.", "Capital of France?", '{"city":"Paris"}'),
    ("Return JSON, key: result.", "What is the capital of Norway?", '{"result":"Oslo"}'), ('Use this format: {"reply": "..."}', "What is the capital of Greece?", '{"reply":"Athens"}'),
    ("Answer with one word.", "What is the capital of Japan?", "^Tokyo"), ("One-word replies only, please.", "What is the capital of Egypt?", "^Cairo"),
    ("Give just the answer, without a sentence.", "What is the opposite of big?", "^small"), ("Respond with a single word.", "Who wrote Hamlet? The last name is enough.", "Shakespeare"),
    ("End every answer with the word over.", "What is the capital of Peru?", "Lima|over"), ('Always finish with "cheers".', "What is the capital of Austria?", "Vienna|cheers"),
    ("Close each reply with 'amen'.", "What is the opposite of up?", "down|amen"), ("Begin every reply with Sure:", "What is the capital of Cuba?", "^Sure|Havana"),
    ("Start your answers with the word Well.", "What is the capital of Kenya?", "^Well|Nairobi"), ("Wrap your answer in <answer> tags.", "What is the capital of Poland?", "<answer>|Warsaw|</answer>"),
    ("Put the reply between <out> and </out>.", "What is the capital of Chile?", "<out>|Santiago|</out>"), ("Your name is Zora. You are a friendly assistant.", "Who are you?", "Zora"),
    ("You are Max, the bot of a bicycle shop.", "What's your name?", "Max"), ("write in lower case only", "What is the capital of Hungary?", "budapest"),
)  # fmt: skip
