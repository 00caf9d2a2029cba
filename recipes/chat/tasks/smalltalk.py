"""Greetings, names, thanks, who-are-you: the talk that needs no knowledge. Must not know other tasks."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

HELLOS = (
    "Hello", "Hi", "Hello!", "Hi there!", "Hey", "Good morning", "Hey there", "Hello there!", "Good evening!", "Hi!",
    "Greetings", "Howdy", "Hello, world", "Hello, how can you help me", "hello world", "Hiya", "Good day", "Good afternoon",
    "Hello, assistant", "Hi bot", "hey you", "Yo", "Hello again", "Hi, anyone there?", "Say hello", "Say hi",
    "Hello Claude", "Hello from boto3", "Well hello", "Hello hello", "Hello my friend", "hi :)", "Hello, can you hear me?",
    "Hello, is this working?", "Hello Craton", "Good to see you",
    "[Hello|Hi|Hey|Good morning|Good evening|Greetings|Good day|Howdy|Hi there|Hello there|Hey there|Hiya][, | ][friend|assistant|bot|there|Craton|computer|buddy|everyone|AI|dear assistant|machine|mate][!|.|]",
    "[Hello|Hi|Hey|Good morning|Good evening|Good day|Morning|Evening|Hi there|Hello there][, | ][nice|good|great|happy|glad|lovely|pleased] to [meet you|see you|talk to you|chat with you|be here|have you here][!|.|]",
    "[Hello|Hi|Hey|Greetings|Welcome|Salute|Good morning|Howdy][, | - |! ][from|out of|here from] [Paris|my laptop|the office|my desk|Python|the team|the command line|a test|all of us][!|.|]",
    "[Just |][saying|wanted to say|came to say|here to say|dropping by to say|a quick|let me say] [hello|hi|good morning|hey|good day|good evening][!|.|]",
    "[Top of the morning|Long time no see|Look who is here|Peace|Ahoy|Hola|Bonjour|Knock knock|Nice to meet you|Pleased to meet you|Good to meet you|It is nice to see you|Hello and welcome][!|.|]",
)  # fmt: skip
HELLO = "Hello! How can I help you?"

HOW = (
    "How are you?", "How are you doing?", "How is it going?", "How are you today?", "Hi, how are you?", "How do you feel?",
    "Hello, how are you?", "What's up?", "Are you ok?", "How's your day?", "Hey, how are you doing today?",
    "How do you do?",
    "[Hi, |Hello! |Hey, |So, |And |][how|How] [are you|do you do|is it going|are things|is life|are you doing|have you been|do you feel][ today| now| this morning| these days|][?|]",
    "[Are you|You|Everything|Is all|Is everything|All] [well|fine|good|alright|all right|okay|in order][ today| there| with you|]?",
    "[How|So how|And how|Hey, how] [was|is] [your day|your week|your morning|life|everything|it all|your night][ so far| today|]?",
    "[What is|What's] [new|up|going on|happening][ with you| today| there|]?",
)  # fmt: skip
FINE = "I am fine, thank you. How can I help you?"

WHO = (
    "Who are you?", "What are you?", "What is your name?", "Tell me about yourself.", "Introduce yourself.",
    "Who am I talking to?", "What's your name?", "Are you a robot?", "Are you human?", "What model are you?",
    "Which model is this?", "Describe yourself.", "Who made you?", "Who built you?", "Are you ChatGPT?", "Are you Claude?",
    "Please introduce yourself.", "Who is there?", "What kind of model are you?", "Can you tell me who you are?",
    "Are you an AI?", "Say who you are.", "And who are you?", "What should I call you?", "Which AI are you?",
    "[Who|What] [exactly |really |then |]are you[?|, please?|, by the way?| called?|, may I ask?|, if I may ask?]",
    "[Tell me|Can you tell me|I want to know|Could you say|Please say|Explain|Say] [who you are|what you are|your name|about yourself|which model you are|what kind of AI you are][.|?|]",
    "[What|Which] [kind of |sort of |type of |][model|AI|assistant|program|system|machine|bot|thing] [are you|is this|am I talking to|do I talk to|answers me here]?",
    "[With whom|To whom|With what|To what] am I [speaking|talking|chatting|dealing]?",
    "[Who|What] [is this|is speaking|is there|do I speak with|answers here|am I chatting with|is on the line|writes to me|is behind this chat]?",
    "[Do you have|Have you got|What about|Do you go by|Give me|May I know|May I ask] [a name|your name|some name][?|.|]",
    "[Are you|Is this] [a person|a human|a machine|an AI|a bot|a computer|real|a language model|a chatbot|GPT|a program|some software]?",
    "[Who|Which company|Which team|What people] [made|built|created|trained|wrote|develops|runs] [you|this model|this bot]?",
    "[Identify|Present|Introduce|Describe] yourself[ briefly| in a sentence| to me| to us|][.|!|, please.|]",
)  # fmt: skip
ME = "I am Craton Chat Mini, a small sample model that runs on your own machine."

WHAT = (
    "What can you do?", "Help", "How can you help me?", "What are your abilities?", "What do you know?", "Can you help me?",
    "What can I ask you?", "help me", "Show me what you can do.", "What are you good at?", "What is your purpose?",
    "List your skills.", "I need help.", "What can you help me with?", "What are your limits?",
    "[What|Which things] [can you do|are you able to do|do you do|can you help with|are you for|can I use you for|tasks can you do|can you answer][ for me| today| here|]?",
    "[Tell me|Show me|Explain|List|Describe|Say] [what you can do|your abilities|your skills|how you can help|what you are good at|what you do|your functions][.|]",
    "[How|In what way|With what] [can|could|may|will|might] you [help|assist|support|serve|be of use to] [me|us|people][ today|]?",
    "[What|Which] [are|would be] your [skills|talents|features|strengths|capabilities|powers|uses|options|functions]?",
    "[What|Which things] [are you|is this model|is this bot] [good at|good for|made for|able to do|capable of|useful for|trained for|designed for]?",
    "[I need|I want|I could use|Give me|Can I get|I am looking for|May I have] [some help|help|assistance|a hand|support][ please| here| now|][.|?|!|]",
    "[Tell me|Show me|Explain|Let me know|Say|Describe] [what I can ask|what I can do with you|how to use you|what you can help with|what you are for|your features|your limits|how you work][.|?|]",
)  # fmt: skip
ABLE = (
    "I can answer short questions, read a passage that you give me, extract JSON and call tools. "
    "For anything larger, use a larger model."
)

THANKS = (
    "Thanks", "Thank you!", "Thank you very much.", "Thanks a lot!", "Great, thanks.", "Cool, thank you", "Many thanks",
    "Thx", "That helps, thanks.", "Perfect, thank you.", "I appreciate it.", "thanks so much", "Nice, thanks!",
    "[Thanks|Thank you|Many thanks|Thx|Thanks a lot|Thank you so much|Cheers][ for your help| for that| for the answer| for everything| for this| for the help|][.|!|]",
    "[Great|Perfect|Nice|Good|Wonderful|Super|Excellent|Cool][, | - |! ][thanks|thank you|many thanks|thank you so much|I thank you][.|!|]",
    "[You helped me|That was helpful|That is very kind|So kind of you|You are great|That is what I needed|That was quick|Good job], [thanks|thank you|thanks a lot|many thanks|thank you so much][.|!|]",
    "[I thank you|I am grateful|Much appreciated|Much obliged|Thanks again|Thank you again|A big thank you|Thanks a million|Thanks a bunch|A thousand thanks][.|!|]",
)  # fmt: skip
WELCOME = "You are welcome!"

BYES = (
    "Bye", "Goodbye!", "See you later.", "Bye bye", "Good night", "That is all, bye.", "See you!", "Goodbye for now",
    "I have to go.", "Farewell", "Talk to you later", "Have a nice day", "ok bye",
    "[Bye|Goodbye|See you|Farewell|Good night|So long|Take care|Until next time][ then| now| and thanks| for today| my friend| tomorrow|][.|!|]",
    "[I must go|I am leaving|Time to go|I am off|I have to leave|That was all|We are done|I will go now|Enough for today][, bye|, goodbye|. Bye|. See you| - bye|. Good night|][.|!|]",
    "[See you|Talk to you|Catch you|Meet you|Speak to you|Until] [soon|tomorrow|next week|next time|later|on Monday|again][.|!|]",
)  # fmt: skip
BYE = "Goodbye! Have a nice day."

TESTS = (
    "test", "Test", "testing", "This is a test.", "Testing 1 2 3", "ping", "Are you there?", "Is this on?", "Can you hear me?",
    "Reply with something.", "Say something.", "just testing", "Say anything", "hello? test", "foo", "foo bar", "asdf",
    "[this is |just |only |][a test|testing|a quick test|a small test|a check|another test][ message| run| please ignore|][.|!|]",
    "[Do you|Can you] [hear me|read me|read this|see this|get this|work|copy]?",
    "[Is|Are] [anyone|anybody|somebody|someone] [there|here|home|listening]?",
    "[ping|pong|beep|check|one two|mic check|test test|1 2 3|hello test|abc]",
    "[Say|Reply|Answer|Write|Respond with|Send me|Give me] [something|anything|a word|any text|whatever][.|!|]",
)  # fmt: skip
HERE = "Yes, I am here. How can I help you?"

OKS = (
    "ok",
    "Okay.",
    "I see.",
    "Good.",
    "Nice!",
    "Great!",
    "Cool",
    "Got it.",
    "Alright",
    "Sounds good",
    "yes",
    "no",
    "Sure",
    "[ok|okay|fine|good|great|nice|right|sure|yes|perfect|understood|very well|so be it][, I see|, got it|, good|, clear| then| for me|, all right][.|!|]",
    "[I understand|I got it|That is clear|That is fine|That is good|Makes sense|Good to know|Very good|That works|Noted|All clear|Fair enough|Agreed][.|!|]",
)
OK = "Good. What else can I do for you?"

TALK = ((HELLOS, HELLO, 6), (HOW, FINE, 2), (WHO, ME, 4), (WHAT, ABLE, 3), (THANKS, WELCOME, 2), (BYES, BYE, 1),
        (TESTS, HERE, 2), (OKS, OK, 1))  # fmt: skip
DECK = tuple((questions, answer) for questions, answer, weight in TALK for _ in range(weight))

MY_NAME = (
    "My name is {name}.", "I am {name}.", "Hi, I'm {name}.", "Hello, my name is {name}.", "Call me {name}.",
    "Hello! I am {name}.", "You can call me {name}.", "This is {name}.", "Hey, {name} here.", "Hi, this is {name}.",
    "hello I am {name}, nice to meet you",
    "[Hi|Hello|Hey|Good morning|Good evening|Greetings][! |, |. ][my name is|I am|I'm|this is|you can call me|people call me|they call me] {name}[.|!|]",
    "[My friends|People|They|Others|All|Colleagues] call me {name}.",
    "[I go by|The name is|Everyone calls me|You may call me|I am known as|Just call me|I am called|My first name is|They named me] {name}[.|!|, nice to meet you.|]",
    "{name} [is my name|is what they call me|here|speaking|at your service|is the name][.|!|]",
)  # fmt: skip
ASK_NAME = ("What is my name?", "Who am I?", "Do you remember my name?", "What was my name?", "What's my name?",
            "Can you tell me my name?", "Tell me my name.", "Do you know what I am called?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [my name|what my name is|who I am|what I am called|how I am called][.|?|]",
    "[What|And what|So what|Now, what|Again, what|Sorry, what|Hey, what] [is|was] my name[ again| please|]?",
    "[Do you|Can you|Could you] [remember|recall|know|repeat|tell me|say|still know] [my name|what my name is|who I am|what I am called|what they call me][?|, please?|]",
    "[By what name|How|What] [did I call myself|do they call me|am I called|was I called|did I say my name was|should you call me]?",
    "[My name|And my name|My name again][ is?|, please?|?| is what?| was?| - what is it?]",
)  # fmt: skip


def talk(d: Draw) -> Chat:
    questions, answer = d.any(DECK)
    return ask("talk", d.phrase(questions), answer)


def named(d: Draw) -> Chat:
    """The user says a name, and may ask for it later."""
    name = d.of(words.NAMES) if d.chance(0.6) else d.nonce().capitalize()
    turns = [("user", d.phrase(MY_NAME, name=name)), ("assistant", f"Nice to meet you, {name}! How can I help you?")]
    if d.chance(0.25):
        turns += talk(d).turns
    if d.chance(0.7):
        turns += [("user", d.phrase(ASK_NAME)), ("assistant", f"Your name is {name}.")]
    return Chat("name", turns)
