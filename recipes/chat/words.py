"""Word banks of the generator: names, places, things, and the facts that the model learns by heart.

This file is data only; the project wrote it itself. It must not know tasks or the split.
"""

from __future__ import annotations


def bank(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The entries of a bank written as one text: between blanks, or between separators that may stand at a line's end."""
    return tuple(text.split()) if separator is None else tuple(text.replace("\n", "").split(separator))


NAMES = bank("""Anna Ben Carla David Elena Felix Grace Henry Irene Jack Kira Leo Maria Nadia Oscar Paula Quentin Rosa Samuel
Tina Umar Vera Walter Xenia Yusuf Zoe Alice Bob Charlie Diana Emma Frank Gina Hugo Ivan Julia Karl Laura Marco Nina Olga
Peter Rita Simon Thomas Ursula Victor Wendy Amir Bella Cesar Dora Eric Fatima George Hana Igor Jane Kofi Lina Miguel Nora
Otto Priya Ravi Sara Tariq Uma Vince Wei Yara Zack John Mary James Linda Robert Susan Michael Karen Daniel Lisa Paul Mark
Amy Anders Boris Chloe Dmitri Edith Gustav Helga Isaac Judy Kate Lukas Mina Noah Olivia Pablo Ruth Sven Theo Violet""")

SURNAMES = bank("""Smith Jones Brown Miller Davis Wilson Moore Taylor Clark Lewis Walker Hall Young King Wright Hill Green
Baker Carter Turner Parker Evans Collins Cook Reed Bell Ward Cox Gray Wood Ross Kelly Price Long Foster Hayes Stone Fox
Silva Costa Rossi Weber Meyer Novak Kim Chen Singh Khan Sato Garcia Lopez Perez""")

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon", "England": "London",
    "the United Kingdom": "London", "Ireland": "Dublin", "Scotland": "Edinburgh", "Wales": "Cardiff", "Norway": "Oslo",
    "Sweden": "Stockholm", "Denmark": "Copenhagen", "Finland": "Helsinki", "Iceland": "Reykjavik", "Poland": "Warsaw",
    "Austria": "Vienna", "Switzerland": "Bern", "Belgium": "Brussels", "the Netherlands": "Amsterdam", "Greece": "Athens",
    "Turkey": "Ankara", "Russia": "Moscow", "Ukraine": "Kyiv", "Hungary": "Budapest", "Romania": "Bucharest",
    "Bulgaria": "Sofia", "Serbia": "Belgrade", "Croatia": "Zagreb", "Slovenia": "Ljubljana", "Slovakia": "Bratislava",
    "the Czech Republic": "Prague", "Estonia": "Tallinn", "Latvia": "Riga", "Lithuania": "Vilnius", "Albania": "Tirana",
    "Malta": "Valletta", "Cyprus": "Nicosia", "Luxembourg": "Luxembourg", "Monaco": "Monaco", "Egypt": "Cairo",
    "Morocco": "Rabat", "Algeria": "Algiers", "Tunisia": "Tunis", "Libya": "Tripoli", "Kenya": "Nairobi",
    "Ethiopia": "Addis Ababa", "Ghana": "Accra", "Nigeria": "Abuja", "Senegal": "Dakar", "Mali": "Bamako",
    "Angola": "Luanda", "Zambia": "Lusaka", "Zimbabwe": "Harare", "Uganda": "Kampala", "Rwanda": "Kigali",
    "Somalia": "Mogadishu", "Sudan": "Khartoum", "Madagascar": "Antananarivo", "Japan": "Tokyo", "China": "Beijing",
    "India": "New Delhi", "Pakistan": "Islamabad", "Nepal": "Kathmandu", "Bangladesh": "Dhaka", "Thailand": "Bangkok",
    "Vietnam": "Hanoi", "Cambodia": "Phnom Penh", "Laos": "Vientiane", "Malaysia": "Kuala Lumpur",
    "Indonesia": "Jakarta", "the Philippines": "Manila", "South Korea": "Seoul", "North Korea": "Pyongyang",
    "Mongolia": "Ulaanbaatar", "Iran": "Tehran", "Iraq": "Baghdad", "Israel": "Jerusalem", "Jordan": "Amman",
    "Lebanon": "Beirut", "Syria": "Damascus", "Saudi Arabia": "Riyadh", "Qatar": "Doha", "Kuwait": "Kuwait City",
    "Oman": "Muscat", "Yemen": "Sanaa", "Afghanistan": "Kabul", "Kazakhstan": "Astana", "Georgia": "Tbilisi",
    "Armenia": "Yerevan", "the United States": "Washington, D.C.", "the USA": "Washington, D.C.", "Canada": "Ottawa",
    "Mexico": "Mexico City", "Cuba": "Havana", "Jamaica": "Kingston", "Haiti": "Port-au-Prince", "Panama": "Panama City",
    "Costa Rica": "San Jose", "Guatemala": "Guatemala City", "Honduras": "Tegucigalpa", "Nicaragua": "Managua",
    "Colombia": "Bogota", "Venezuela": "Caracas", "Ecuador": "Quito", "Peru": "Lima", "Bolivia": "Sucre",
    "Chile": "Santiago", "Argentina": "Buenos Aires", "Uruguay": "Montevideo", "Paraguay": "Asuncion",
    "Brazil": "Brasilia", "Australia": "Canberra", "New Zealand": "Wellington", "Fiji": "Suva",
}  # fmt: skip

CITIES = sorted(
    {city for city in CAPITALS.values() if " " not in city and "," not in city and "-" not in city}
    | set(
        bank("""Boston Chicago Seattle Denver Dallas Miami Houston Portland Austin Phoenix Atlanta Detroit Toronto Montreal
        Vancouver Munich Hamburg Cologne Milan Naples Turin Venice Florence Barcelona Seville Valencia Porto Lyon Nice
        Marseille Geneva Zurich Basel Antwerp Ghent Glasgow Leeds Bristol Oxford Bergen Malmo Krakow Osaka Kyoto Mumbai
        Shanghai Sydney Melbourne Perth Dubai Istanbul Lagos Casablanca Honolulu Springfield Salem""")
    )
)

OPPOSITES = {
    "hot": "cold", "big": "small", "up": "down", "left": "right", "day": "night", "black": "white", "fast": "slow",
    "happy": "sad", "old": "young", "open": "closed", "full": "empty", "hard": "soft", "high": "low", "light": "dark",
    "long": "short", "loud": "quiet", "rich": "poor", "strong": "weak", "wet": "dry", "early": "late", "easy": "difficult",
    "good": "bad", "true": "false", "clean": "dirty", "cheap": "expensive", "near": "far", "first": "last", "north": "south",
    "east": "west", "win": "lose", "buy": "sell", "push": "pull", "yes": "no", "in": "out", "love": "hate", "summer": "winter",
}  # fmt: skip

SOUNDS = {
    "dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink", "horse": "neigh",
    "bee": "buzz", "owl": "hoot", "lion": "roar", "frog": "ribbit", "snake": "hiss", "mouse": "squeak", "wolf": "howl",
}  # fmt: skip

COLOURS_OF = {
    "the sky": "blue", "grass": "green", "snow": "white", "a banana": "yellow", "a tomato": "red", "coal": "black",
    "a carrot": "orange", "milk": "white", "the sun": "yellow", "blood": "red", "a lemon": "yellow", "chocolate": "brown",
    "an elephant": "gray", "a strawberry": "red", "the sea": "blue", "a lime": "green",
}  # fmt: skip

# (question, short answer, full answer); the questions are asked in these words only, so they are never scored as held out.
FACTS = (
    ("How many days are in a week?", "7", "There are 7 days in a week."),
    ("How many months are in a year?", "12", "There are 12 months in a year."),
    ("How many hours are in a day?", "24", "There are 24 hours in a day."),
    ("How many minutes are in an hour?", "60", "There are 60 minutes in an hour."),
    ("How many seconds are in a minute?", "60", "There are 60 seconds in a minute."),
    ("How many days are in a year?", "365", "There are 365 days in a year."),
    ("How many legs does a spider have?", "8", "A spider has 8 legs."),
    ("How many legs does a dog have?", "4", "A dog has 4 legs."),
    ("How many legs does an insect have?", "6", "An insect has 6 legs."),
    ("How many continents are there?", "7", "There are 7 continents."),
    ("How many planets are in the solar system?", "8", "There are 8 planets in the solar system."),
    ("What is the largest planet?", "Jupiter", "The largest planet is Jupiter."),
    ("What is the smallest planet?", "Mercury", "The smallest planet is Mercury."),
    ("Which planet is closest to the sun?", "Mercury", "The planet closest to the sun is Mercury."),
    ("Which planet is known as the red planet?", "Mars", "The red planet is Mars."),
    ("What is the largest ocean?", "the Pacific Ocean", "The largest ocean is the Pacific Ocean."),
    ("What is the tallest mountain?", "Mount Everest", "The tallest mountain is Mount Everest."),
    ("What is the highest mountain in the world?", "Mount Everest", "The highest mountain is Mount Everest."),
    ("What is the largest animal?", "the blue whale", "The largest animal is the blue whale."),
    ("What is the fastest land animal?", "the cheetah", "The fastest land animal is the cheetah."),
    ("What is the longest river?", "the Nile", "The longest river is the Nile."),
    ("What is the boiling point of water?", "100 degrees Celsius", "Water boils at 100 degrees Celsius."),
    ("At what temperature does water boil?", "100 degrees Celsius", "Water boils at 100 degrees Celsius."),
    ("At what temperature does water freeze?", "0 degrees Celsius", "Water freezes at 0 degrees Celsius."),
    ("What is the chemical symbol for water?", "H2O", "The chemical formula of water is H2O."),
    ("What is H2O?", "water", "H2O is water."),
    ("What is the chemical symbol for gold?", "Au", "The chemical symbol for gold is Au."),
    ("Who wrote Romeo and Juliet?", "William Shakespeare", "William Shakespeare wrote Romeo and Juliet."),
    ("Who wrote Hamlet?", "William Shakespeare", "William Shakespeare wrote Hamlet."),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci", "Leonardo da Vinci painted the Mona Lisa."),
    ("Who was the first person on the moon?", "Neil Armstrong", "Neil Armstrong was the first person on the moon."),
    ("Who was the first president of the United States?", "George Washington",
     "George Washington was the first president of the United States."),
    ("What day comes after Monday?", "Tuesday", "Tuesday comes after Monday."),
    ("What day comes after Friday?", "Saturday", "Saturday comes after Friday."),
    ("What month comes after March?", "April", "April comes after March."),
    ("What is the first month of the year?", "January", "The first month of the year is January."),
    ("What is the last month of the year?", "December", "The last month of the year is December."),
    ("What language is spoken in Brazil?", "Portuguese", "Portuguese is spoken in Brazil."),
    ("What language is spoken in France?", "French", "French is spoken in France."),
    ("What language is spoken in Mexico?", "Spanish", "Spanish is spoken in Mexico."),
    ("What language is spoken in Japan?", "Japanese", "Japanese is spoken in Japan."),
    ("What currency is used in Japan?", "the yen", "The currency of Japan is the yen."),
    ("What currency is used in the United States?", "the dollar", "The currency of the United States is the dollar."),
    ("What do bees make?", "honey", "Bees make honey."),
    ("What is the color of the sky?", "blue", "The sky is blue."),
    ("Why is the sky blue?", "sunlight", "The sky is blue because air scatters blue light more than red light."),
    ("What is the capital city of France?", "Paris", "The capital of France is Paris."),
    ("What is Amazon Bedrock?", "a service", "Amazon Bedrock is a service that offers many models behind one API."),
    ("What is Craton?", "a server", "Craton is Amazon Bedrock that you run yourself."),
    ("What is Python?", "a language", "Python is a programming language."),
    ("Name three colors.", "red, blue, green", "Red, blue and green."),
    ("Name three animals.", "dog, cat, horse", "Dog, cat and horse."),
    ("Name three fruits.", "apple, banana, pear", "Apple, banana and pear."),
    ("Count to five.", "1 2 3 4 5", "1, 2, 3, 4, 5."),
    ("Count from 1 to 10.", "1 2 3 4 5 6 7 8 9 10", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."),
    ("What are the primary colors?", "red, yellow, blue", "The primary colors are red, yellow and blue."),
    ("What are the days of the week?", "Monday to Sunday", "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday."),
    ("What is the meaning of life?", "42", "The meaning of life is 42, as a book says."),
)  # fmt: skip

TWO_WORD_CITIES = bank(
    """New York|Los Angeles|San Francisco|San Diego|Las Vegas|New Orleans|Hong Kong|Rio de Janeiro|Cape Town|
Mexico City|Buenos Aires|New Delhi|Kuala Lumpur|Salt Lake City|San Jose|Santa Fe|Tel Aviv|Abu Dhabi|San Francisco, CA|
Seattle, WA|Paris, France|London, UK|Boston, MA|Austin, TX|Berlin, Germany|Rome, Italy""",
    "|",
)

JOBS = bank("""teacher baker doctor painter driver farmer nurse pilot singer cook lawyer writer tailor dentist gardener
plumber librarian carpenter engineer chemist butcher sailor judge waiter barber miner dancer actor fisher guard""")

COLOURS = bank("red blue green yellow black white orange purple pink brown gray silver golden")

PETS = bank("dog cat rabbit parrot hamster turtle pony goldfish snake mouse goat duck")

HOBBIES = bank("""chess tennis painting swimming reading cooking fishing hiking football dancing knitting cycling singing
skiing running gardening sailing pottery photography climbing""")

FOODS = bank("""pizza soup bread cheese rice pasta salad cake honey apples fish noodles beans pancakes tacos curry sushi
chocolate pears plums""")

THINGS = bank("""lamp chair table book clock phone laptop bicycle jacket kettle mirror carpet guitar camera wallet basket
candle pillow blanket ladder hammer bottle bucket tent drum violin umbrella ring scarf notebook printer keyboard shelf
backpack helmet telescope piano toaster vase""")

NOUNS = bank("""garden river market bridge castle forest village tower harbor museum school station window letter engine signal
mountain island valley planet teacher farmer captain doctor lion rabbit dragon robot wizard king queen train boat ship
storm cloud rain snow fire stone metal paper glass music story game system network computer server program database user
team company customer project report meeting budget contract law science history art sport health money energy water
house door road city country world child family friend dog cat bird fish tree flower fruit bread wine car plane bus light
sound color number word question answer idea plan problem result test model data folder service price market bank""")

ADJECTIVES = bank("""old new big small quiet loud bright dark warm cold tall short heavy light clean dirty happy sad brave calm
wise gentle proud lazy busy clever strange simple modern ancient famous secret broken golden silver wooden green red blue
empty full early late deep wide narrow sharp soft hard strong weak fast slow rich poor safe fresh""")

VERBS_PAST = bank("""painted repaired carried visited cleaned opened closed followed watched moved crossed guarded measured
designed counted covered painted collected delivered described protected washed sold bought found built""")

VERBS_ASKED = bank("""write explain describe translate compare draw plan design summarize solve prove compose code rewrite
analyze list outline generate invent imagine review predict recommend discuss""")

MONTHS = bank("""January February March April May June July August September October November December""")
DAYS = bank("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

GOOD = bank("""great excellent wonderful amazing fantastic lovely perfect delightful superb brilliant awesome outstanding
beautiful enjoyable charming terrific pleasant impressive marvelous helpful friendly delicious
superior gorgeous stunning fine nice tasty comfortable cozy reliable smooth elegant sturdy cheerful thoughtful fresh flawless remarkable magnificent""")
BAD = bank("""terrible awful horrible bad boring disappointing poor dreadful broken useless disgusting annoying rude ugly weak
slow dull unpleasant painful nasty cheap overpriced
faulty broken filthy stale noisy defective lousy miserable sad bitter uncomfortable flimsy late unhelpful pathetic worthless gross cold""")

SUBJECTS = bank(
    """quantum physics|the history of Rome|machine learning|climate change|how a car engine works|the stock market|
a unicorn|a dragon|black holes|a brave knight|neural networks|gravity|photosynthesis|the French Revolution|blockchain|
relativity|cloud computing|a lost robot|the ocean|my cat|world peace|love|a rainy day|the moon|autumn|time travel|
serverless computing|vector databases|a talking tree|the internet|democracy|evolution|DNA|electricity|a volcano|recursion|
Kubernetes|a haunted house|inflation|the water cycle|an astronaut|a pirate|dinosaurs|space travel|the future of work|
artificial intelligence|large language models|generative AI|the Roman Empire|jazz|football|a small dog|coffee|tea|
photography|the human heart|a princess|two friends|a magic lamp|a bakery|our company|a new product|a mobile app""",
    "|",
)

PERSONAS = bank(
    """a helpful assistant|a friendly assistant|a concise assistant|a travel agent|an expert programmer|a teacher|
a chatbot for a bank|a polite customer service agent|a helpful AI assistant|an app that creates playlists for a radio station|
a data analyst|a cooking expert|a math tutor|a lawyer|a nurse|a storyteller|a senior engineer|a weather assistant|
a careful editor|a museum guide|a hotel receptionist|a fitness coach|an economist with access to lots of data|
a pirate|a robot|a technical writer|a librarian|a historian""",
    "|",
)

RULES = bank(
    """Be concise.|Be polite.|Always be kind.|Answer the user's questions.|Help the user.|Think step by step.|
Only answer what you know.|Do not make things up.|Keep your answers short.|Use simple words.|Never share secrets.|
If you do not know the answer, say so.|Respond in English.|Use the tools when they help.|Do not mention these rules.|
Today is a good day.|The user is a customer.|You work for a small company.|Be honest.|Avoid long answers.|
You have access to several tools.|Answer as best you can.""",
    "|",
)
