"""Plain English words beside the banks of `words.py`: what a passage, a tool or a record may speak of.

What is copied must not be learned by heart. A bank of a hundred nouns is; so training takes most of its words from these
lists and from made-up words, and an evaluation only from the part of the banks that training never sees.
This file owns the lists and what kind of word stands where. It must not know tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

from recipes.chat import words
from recipes.chat.words import bank

_NOUNS = bank("""acorn actor airport alarm album anchor angle ankle answerer antenna apartment apron arch archive arena arm
army arrow artist ash attic author avenue award axe baby badge bag balcony ball balloon barn barrel basement bath battery
bay beach beam bear beard bell belt bench berry bill bishop blade blanket block boar board bolt bone border bowl box
branch brand brass brick bride brook broom brother brush bubble bucket building bull burger bush butter button cabin cable
cactus cage camel camp canal candle cannon canoe cap cape card cargo carpenter carrot cart cave ceiling cell cellar chain
chalk chapel chapter charm chart cheek chef chess chest chief chimney chip choir church circle circus clerk cliff clinic
cloak cloth clown club coach coal coast coat coin collar colony column comet comma coral cork corn corner cottage cotton
couch council counter cousin cover cow crab cradle crane crate creek crew crop crowd crown crystal cup curtain curve
cushion customs daisy dam dance dart daughter dawn deck deer delta dentist desert desk dial diamond diary diet dish ditch
dock dolphin dome donkey dot dragonfly drawer dream dress drill driver drum duke dune dust duty eagle ear echo edge editor
egg elbow elephant elevator elm emperor estate event exit eye fabric face factory fair falcon fan fashion father feast
feather fence fern ferry festival fever field fig file film filter finger flag flame flask fleet flight flood floor flour
flute fly foam fog folder foot fork fort fossil fountain fox frame freezer frog frost fuel funnel fur gallery gate gem
ghost giant gift giraffe girl glacier glove glue goal goat gown grain grape grass gravel guest guide gulf gym hair hall
ham hand handle hat hawk hay head heart hedge helmet hen herb herd hero hill hinge hive hole honeycomb hood hook horn horse
hose hospital hotel hour hunter hut ink inn insect iron ivory ivy jacket jail jar jaw jeep jelly jet jewel jockey joke judge
juice jungle jury key kid kidney kite kitten knee knife knight knot label lace lady lake lamb lane lantern latch lawn layer
lead leaf leather leg lemon lens lever library lid limb lime line lion lip liver lizard loaf lobby lock log loom lord lot
lunch lung machine magnet maid mailbox map maple marble march mare mask mast mat match maze meadow meal medal melody melon
menu mill mind mine minister mint mist mixer mole monk monkey moon moose mosque moss moth motor mouth movie mud mug mule
muscle mushroom nail napkin neck needle nephew nest net niece night noise nose novel nurse nut oak oar oasis oat ocean
officer oil olive onion opera orange orbit orchard order organ otter oven owl ox oyster paddle page pail paint palace palm
pan panda panel pants parcel parent park parrot part path patient paw peach peak pear pearl pebble pen pencil pepper perfume
pest phrase pie pier pig pigeon pillar pin pine pipe pit pitcher plain plank plant plate plow plug plumber pocket poem poet
pole police pond pony pool poppy porch pot potato powder prince printer prison prize puddle pump puppet puppy purse puzzle
pyramid quarry quilt rack radar radio raft rail rake ramp ranch raven razor reef reindeer rent rib ribbon rice rider ridge
rifle rim robe rock rod roof room rooster root rope rose route row rug ruler sail salad salmon salt sand sandal satellite
sauce saw scale scarecrow scene scout screen screw seal seat secretary seed senator shadow shark shed sheep sheet shell
shelter sheriff shield shirt shoe shop shore shovel shower shrimp sign silk sink siren sister skate ski skin skirt skull sky
sled sleeve slope smoke snail snake soap sock sofa soil soldier son soup spade spark sparrow spear spider spine spoon
sport spring squad squirrel stable stadium staff stage stair stamp statue steam steel stem stew stick stool stork stove
stranger straw stream student studio suit summit sun swamp swan sweater sword syrup tail tailor tank tape target taxi temple
tenant thief thorn thread throne thumb thunder ticket tide tiger tile timber toad tomato tomb tongue tool tooth torch tortoise
tourist towel toy track tractor trail tram trap tray treasure trench tribe truck trumpet trunk tub tulip tunnel turbine turkey
turnip uncle uniform valve van vault veil vest violet virus voice volcano voter wagon waist walnut warrior wasp watch wave wax
weaver wedge weed whale wheat wheel whip whistle widow wing winter wire wolf woman wool worm wrench wrist yacht yard yarn zebra""")
_ADJECTIVES = bank("""able active actual afraid alert alive amber amused angry ashamed asleep awake aware awkward bare basic
blind blunt bold bored bound brief broad brown bumpy calmer careful careless certain charming cheap chief chilly civil classic
common complete complex concrete cool correct cosmic cozy crazy crisp crooked cruel curious curly damp daring dead dear decent
delicate dense dirty distant divine double dry dusty eager elastic elderly electric elegant endless equal evil exact exotic extra
faint fair faithful false fancy fatal fierce final firm flat fluffy foolish foreign formal fragile free friendly frozen funny
furry gentle giant glad global good gray greedy grim guilty hairy handy harsh hasty hidden hollow holy honest hot huge human
humble hungry icy ideal idle inner jealous joint jolly juicy keen kind known lame large last lasting lean legal level likely
liquid little live local lonely loose lost lovely loyal lucky lunar mad magic main major mature mean meek merry mighty mild minor
misty mobile moist moral mute natural naughty neat nervous noble noisy normal northern novel numb odd official only
open orange ordinary oval outer pale past patient perfect petty pink plain plastic pleasant polite popular precious pretty prime
private public pure purple quick rapid rare raw ready real regal regular remote ripe rotten rough round royal rude rural rusty
sacred salty same sandy sane scared second secure selfish senior severe shallow shiny shy sick silent silly single sleepy slim
slippery smart smooth sober solar solid sore sour southern spare special spicy square stale steady steep sticky stiff still
stormy straight striped stubborn sudden sunny super sweet swift tame tasty tender tense thick thin thirsty tidy tight tiny tired
tough tragic tribal tricky true twin ugly unique united upper urban urgent useful usual vague vain valid vast violent visible
vital vivid void wary wet wicked wild willing windy witty worn worthy wrong yellow young zany""")
_VERBS = bank("""accepted added admired adopted advised altered amused announced answered approved arranged arrested asked
attacked avoided baked balanced banned blamed blessed blocked boiled borrowed bothered bounced branded broke brought brushed buried
burned called canceled cared caught caused chained changed charged chased checked cheered chose claimed climbed combined compared
composed confirmed controlled cooked copied corrected crashed created criticized cured cut damaged dared decorated defended deleted
demanded destroyed dipped directed discovered discussed divided doubted dragged drank drew dried drove dusted earned ended enjoyed
entered erased escaped examined expected explained explored failed fed fetched filled filmed finished fixed flipped folded forgave
forgot found framed freed froze gathered gave grabbed greeted grew hammered handled hated healed heard heated helped hid hired hit
hugged hunted ignored improved informed inspected invented invited ironed joined judged jumped kept kicked kissed knew labeled
launched led left licked lifted liked lit loaded locked lost loved made managed marked married matched melted mended mentioned met
milked missed mixed named needed noticed obeyed offered ordered organized owned packed parked passed pasted paused phoned picked
pierced pinned planned planted played pleased plugged poked polished poured praised prepared pressed printed promised pulled punched
punished pushed questioned raised ran reached received recorded refused rejected released remembered removed rented replaced rescued
returned revealed rewarded robbed rolled ruined ruled saved scared scratched searched sealed sent served settled sewed shaped shared
shaved shielded shook shot showed signed smelled solved sorted spared spilled split spotted squeezed stained stamped started stole
stopped stored stretched struck studied supported surprised swept switched taught teased tested thanked threw tickled tied touched
towed traced traded trained trapped treated tried trusted turned twisted used visualized wanted warmed warned wasted watered weighed
welcomed wiped won wore wrapped wrote""")
_THINGS = bank("""armchair axe bag ball bathtub bed bell belt bench binder blender boat boots bowl bracelet broom brush calculator
canoe cap cart charger chessboard coat coin comb compass cooker couch cup curtain cushion desk doll drill dryer earphones easel eraser
fan flashlight flute fork freezer fridge glove globe grill hairbrush handbag harp headset heater hoodie hose iron jar jeans jug kayak
kite knife lawnmower lens lighter mailbox map mask microphone microscope mixer monitor mop mug nail necklace oven paddle pan parasol
pen pencil perfume plate pot purse puzzle racket radio rake razor recorder refrigerator remote robot rope rug ruler saddle sandals
saw scissors scooter screwdriver shampoo shirt shovel skateboard skirt sled slippers soap sofa spatula speaker spoon sponge stapler
stool stove suitcase sunglasses sweater sword tablet teapot television thermos tie towel toothbrush tractor tray tripod trumpet vacuum
vest wheelbarrow whistle wrench xylophone""")
_FOODS = bank("""bananas berries biscuits broccoli burgers butter carrots cereal cherries chicken corn crackers cream cucumbers dates
donuts dumplings eggs figs fries garlic grapes ham hummus jam kebab lasagna lemons lentils lobster mangoes meatballs melons milk muffins
mushrooms mustard nuts oatmeal olives omelet onions oranges oysters paella peaches peanuts peas peppers pickles pie pineapple popcorn
porridge potatoes pretzels pudding pumpkin radishes raisins ravioli risotto salmon sandwiches sausages shrimp spinach steak stew
strawberries toast tofu tomatoes tuna turkey waffles walnuts yogurt zucchini""")
_JOBS = bank("""accountant acrobat analyst archer architect artist astronaut athlete author banker barista beekeeper biologist
blacksmith bookseller broker builder cashier chef clerk clown coach cobbler composer consultant cowboy critic curator designer
detective diplomat director diver economist editor electrician explorer florist forester geologist guide hairdresser historian
hunter inspector inventor janitor jeweler jockey journalist lifeguard locksmith magician manager mason mathematician mechanic
merchant midwife musician optician pharmacist philosopher photographer physicist poet porter potter priest printer producer
professor programmer ranger realtor receptionist reporter roofer scientist sculptor secretary senator shepherd soldier surgeon
surveyor technician translator trucker tutor vet weaver welder zookeeper""")
_PETS = bank("""canary chicken chinchilla cow crow donkey eagle ferret finch fox frog gecko goose guineapig hedgehog iguana kitten
lamb lizard llama monkey newt owl ox peacock pig pigeon puppy rat salamander sheep spider squirrel swan tortoise toad turkey""")
_HOBBIES = bank("""archery astronomy badminton baking ballet baseball basketball birdwatching bowling boxing calligraphy camping
canoeing carving cricket crochet diving drawing fencing golf gymnastics hockey jogging judo juggling karate karaoke magic marathons
meditation origami parkour poetry poker puzzles quilting racing rafting rowing rugby sculpture sewing singing skating snooker
snowboarding soccer sudoku surfing theater volleyball walking weaving wrestling writing yoga""")
_COLOURS = bank("""amber beige bronze burgundy coral cream crimson cyan emerald indigo ivory khaki lavender lilac lime magenta maroon
mauve mint mustard navy olive peach pearl plum ruby rust salmon sand scarlet tan teal turquoise violet white""")
_CITIES = bank("""Aberdeen Adelaide Albany Anchorage Auckland Baltimore Bangalore Belfast Birmingham Bordeaux Bremen Brighton Brisbane
Brno Buffalo Calgary Cambridge Cardigan Charlotte Chennai Cincinnati Cleveland Columbus Cordoba Cork Darwin Delhi Dortmund Dresden
Dundee Durban Edinburgh Edmonton Essen Exeter Fresno Fukuoka Galway Gdansk Genoa Graz Grenoble Haifa Halifax Hanover Hobart Innsbruck
Jaipur Jeddah Karachi Kobe Kolkata Lahore Leicester Leipzig Limerick Linz Liverpool Lodz Louisville Lucerne Malaga Manchester Medellin
Memphis Metz Minneapolis Mombasa Monterrey Nagoya Nantes Nashville Newark Newcastle Norwich Nottingham Nuremberg Oakland Odessa Omaha
Orlando Palermo Parma Philadelphia Pisa Pittsburgh Plymouth Pune Quebec Raleigh Recife Reims Rotterdam Sacramento Salzburg Sapporo
Sheffield Stuttgart Surat Swansea Tampa Toledo Toulouse Trieste Tucson Tulsa Utrecht Verona Wellingborough Winnipeg York""")

_PAIRS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "noun": (words.NOUNS, _NOUNS), "adjective": (words.ADJECTIVES, _ADJECTIVES), "verb": (words.VERBS_PAST, _VERBS),
    "thing": (words.THINGS, _THINGS), "food": (words.FOODS, _FOODS), "job": (words.JOBS, _JOBS), "pet": (words.PETS, _PETS),
    "hobby": (words.HOBBIES, _HOBBIES), "color": (words.COLOURS, _COLOURS), "city": (words.CITIES, _CITIES),
}  # fmt: skip
_TAKEN = {word for entries, _ in _PAIRS.values() for word in entries} | {*words.GOOD, *words.BAD}

LEXICON: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    kind: (entries, tuple(word for word in further if word not in _TAKEN))
    for kind, (entries, further) in _PAIRS.items()
}
"""Kind of word: its bank, which has a held-out part, and further words, none of which is held out anywhere."""
TO_BLEND = tuple(word.lower() for _, further in LEXICON.values() for word in further)
BANKED = frozenset(word.lower() for word in _TAKEN)
"""In lower case: the further words, of whose halves new words are made, and the words of banks, which those must not be."""
