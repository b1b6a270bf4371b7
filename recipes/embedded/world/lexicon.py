"""What the world knows: things and their kinds, sizes and uses, people, places, verbs, chores, opinions."""

from __future__ import annotations


def _table(text: str) -> dict[str, list[str]]:
    rows = [line.split(":") for line in text.strip().splitlines()]
    return {name.strip(): rest.split() for name, rest in rows}


# Plural name of a kind: its members, singular.
KINDS = _table("""
fruits: apple banana orange grape lemon cherry peach pear plum mango melon kiwi
animals: dog cat horse cow pig sheep goat lion tiger bear wolf fox rabbit mouse elephant
birds: eagle owl duck goose robin parrot crow swan hen falcon
vegetables: carrot potato onion tomato pepper cabbage bean pea corn spinach
colors: red blue green yellow purple black white pink brown gray
tools: hammer saw drill wrench shovel rake axe ladder knife brush
sports: football tennis golf hockey rugby boxing running swimming cycling skiing
jobs: teacher doctor nurse farmer baker driver pilot painter singer lawyer
instruments: piano guitar violin flute drum trumpet harp cello organ banjo
vehicles: car bus train plane boat truck bicycle ship van tram
drinks: water tea coffee milk juice soda lemonade cocoa cider wine
garments: shirt coat hat scarf glove sock shoe belt dress sweater
furnishings: table chair sofa bed desk shelf lamp mirror carpet stool
flowers: rose tulip lily daisy orchid poppy iris jasmine lotus lavender
""")
KIND_OF = {item: kind for kind, items in KINDS.items() for item in items}
SINGULAR = {k: k[:-1] for k in KINDS}

# Why people like a member of the kind.
LIKED: dict[str, list[str]] = {
    "fruits": ["it tastes sweet", "it is full of vitamins", "it is fresh and juicy"],
    "animals": ["it is clever", "it is strong", "it is fun to watch"],
    "birds": ["it can fly far", "it sings well", "it has fine feathers"],
    "vegetables": ["it is healthy", "it is good in soup", "it grows in any garden"],
    "colors": ["it looks warm", "it looks calm", "it is easy to see"],
    "tools": ["it saves time", "it makes hard work easy", "it lasts for years"],
    "sports": ["it keeps you fit", "it is fun with friends", "it clears the mind"],
    "jobs": ["it helps other people", "it pays well", "it is never boring"],
    "instruments": ["it sounds warm", "it is fun to play", "it fits any song"],
    "vehicles": ["it is fast", "it is safe", "it carries many people"],
    "drinks": ["it cools you down", "it wakes you up", "it tastes good"],
    "garments": ["it keeps you warm", "it looks smart", "it is soft"],
    "furnishings": ["it saves space", "it is comfortable", "it looks good at home"],
    "flowers": ["it smells sweet", "it has bright petals", "it cheers up a room"],
}

# Relative size inside a kind, small to large.
BY_SIZE = _table("""
animals: mouse rabbit cat fox dog goat sheep wolf pig lion bear cow horse elephant
birds: robin parrot crow owl duck falcon hen eagle goose swan
fruits: cherry grape plum kiwi lemon pear orange mango melon
vehicles: bicycle car van truck bus tram train ship
instruments: flute trumpet violin banjo guitar cello harp piano organ
furnishings: lamp stool chair desk table sofa bed
vegetables: pea bean onion tomato potato cabbage
""")

# What a thing is for, or what it does: "A hammer is a tool that ..."
DOES: dict[str, str] = {
    "hammer": "drives nails into wood",
    "saw": "cuts wood into pieces",
    "drill": "makes round holes",
    "shovel": "moves earth and snow",
    "rake": "gathers dry leaves",
    "ladder": "helps you reach high places",
    "knife": "cuts bread and meat",
    "brush": "spreads paint on a wall",
    "teacher": "helps students learn",
    "doctor": "treats sick people",
    "nurse": "cares for sick people",
    "farmer": "grows food on the land",
    "baker": "makes bread and cakes",
    "driver": "drives a bus or a truck",
    "pilot": "flies a plane",
    "painter": "paints walls and pictures",
    "lawyer": "knows the law",
    "piano": "has black and white keys",
    "guitar": "has six strings",
    "violin": "is played with a bow",
    "flute": "is played with the breath",
    "drum": "is played with sticks",
    "car": "carries a family on the road",
    "bus": "carries many people in the city",
    "train": "runs on rails",
    "plane": "flies in the sky",
    "boat": "floats on water",
    "bicycle": "has two wheels",
    "truck": "carries heavy goods",
    "coat": "keeps you warm in winter",
    "hat": "protects the head from the sun",
    "scarf": "keeps the neck warm",
    "glove": "keeps the hand warm",
    "shoe": "protects the foot",
    "chair": "lets one person sit",
    "bed": "lets people sleep",
    "shelf": "holds books",
    "lamp": "gives light at night",
    "mirror": "shows your own face",
    "desk": "gives room to write",
    "eagle": "hunts from high in the sky",
    "owl": "hunts at night",
    "duck": "swims on the lake",
    "parrot": "can copy words",
    "dog": "guards the house",
    "cat": "catches mice",
    "cow": "gives milk",
    "horse": "pulls a cart",
    "sheep": "gives wool",
    "lion": "hunts in the grass",
    "elephant": "has a long trunk",
    "lemon": "tastes sour",
    "banana": "has a yellow skin",
    "carrot": "grows under the ground",
    "onion": "makes people cry",
    "rose": "has sharp thorns",
}

CAPITALS: dict[str, str] = {
    "France": "Paris",
    "Spain": "Madrid",
    "Italy": "Rome",
    "Germany": "Berlin",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Egypt": "Cairo",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Russia": "Moscow",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Ireland": "Dublin",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Kenya": "Nairobi",
    "Canada": "Ottawa",
    "India": "Delhi",
    "Turkey": "Ankara",
    "Chile": "Santiago",
}
CITIES = sorted(CAPITALS.values())
NAMES = (
    "Anna Ben Carla David Emma Felix Grace Henry Ida Jack Kate Leo Maria Nora Oscar Paul Rosa Sam Tina Victor".split()
)

OPPOSITES: dict[str, str] = {
    "hot": "cold",
    "big": "small",
    "fast": "slow",
    "young": "old",
    "happy": "sad",
    "rich": "poor",
    "light": "dark",
    "full": "empty",
    "early": "late",
    "strong": "weak",
    "clean": "dirty",
    "loud": "quiet",
    "open": "closed",
    "hard": "soft",
    "tall": "short",
    "wet": "dry",
    "cheap": "expensive",
    "brave": "afraid",
    "narrow": "wide",
    "first": "last",
    "sharp": "blunt",
    "thick": "thin",
    "sweet": "sour",
    "near": "far",
}
SAME: dict[str, str] = {
    "happy": "glad",
    "big": "large",
    "fast": "quick",
    "clever": "smart",
    "brave": "bold",
    "quiet": "silent",
    "begin": "start",
    "end": "finish",
    "small": "little",
    "rich": "wealthy",
    "angry": "mad",
    "easy": "simple",
    "tired": "weary",
    "help": "aid",
    "road": "street",
    "stone": "rock",
    "gift": "present",
    "ill": "sick",
}

ADJECTIVES = "brave small clever lonely happy tired young shy hungry gentle proud lazy curious kind".split()
OBJECTS = "key map book lantern coin letter ring bell box kite clock basket bottle stone drum".split()
PLACES = "river forest mountain lake village garden castle market bridge beach farm station park school".split()
FRIENDS = "friend neighbor brother sister cousin teacher doctor".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
EVENTS = "party dinner picnic concert game walk lunch wedding".split()

# Present, past, and the rest of a sentence.
VERBS: list[tuple[str, str, str]] = [
    ("runs", "ran", "to the {place}"),
    ("walks", "walked", "to the {place}"),
    ("sees", "saw", "the {place}"),
    ("finds", "found", "a {object}"),
    ("takes", "took", "the {object}"),
    ("sleeps", "slept", "near the {place}"),
    ("sings", "sang", "in the {place}"),
    ("buys", "bought", "a {object}"),
    ("leaves", "left", "the {place}"),
    ("hides", "hid", "behind the {place}"),
    ("carries", "carried", "a {object}"),
    ("paints", "painted", "the {place}"),
    ("loses", "lost", "the {object}"),
    ("visits", "visited", "the {place}"),
    ("comes", "came", "from the {place}"),
]
REQUESTS = [
    "open the door",
    "close the window",
    "bring me the {object}",
    "call me on {day}",
    "wait near the {place}",
    "send me the {object}",
    "clean the table",
    "show me the {place}",
    "give the {object} to {name}",
    "speak more slowly",
    "help me with the {object}",
    "come to the {place} on {day}",
    "wash the car",
    "feed the dog",
]
GOOD_REVIEWS = [
    "I love this {object}",
    "the {object} works very well",
    "we had a great time at the {place}",
    "the {event} was wonderful",
    "best {object} I ever bought",
    "the food at the {event} was delicious",
]
BAD_REVIEWS = [
    "I hate this {object}",
    "the {object} broke after one day",
    "we had an awful time at the {place}",
    "the {event} was terrible",
    "worst {object} I ever bought",
    "the food at the {event} was cold",
]

CHORES: dict[str, list[str]] = {
    "make tea": ["boil some water", "put the tea in a cup", "pour the water", "wait three minutes"],
    "boil an egg": ["fill a pot with water", "heat the water", "put the egg in the pot", "wait eight minutes"],
    "plant a seed": ["dig a small hole", "put the seed in the hole", "cover it with earth", "water it every day"],
    "wash a car": ["fill a bucket with water", "add some soap", "scrub the car", "dry it with a towel"],
    "clean a room": ["open the window", "pick up the things", "wipe the shelf", "sweep the floor"],
    "pack a bag": ["make a list", "fold the clothes", "put heavy things first", "close the bag"],
    "write a letter": ["take a sheet of paper", "write the date", "greet the reader", "sign your name"],
    "bake bread": ["mix flour and water", "add some yeast", "let the dough rest", "bake it for one hour"],
    "paint a wall": ["cover the floor", "clean the wall", "open the paint", "use a wide brush"],
    "fix a flat tire": ["take off the wheel", "find the hole", "glue a patch on it", "pump up the tire"],
    "make a salad": ["wash the lettuce", "cut the tomato", "add some oil", "mix it well"],
    "learn a song": ["listen to it twice", "read the words", "sing it slowly", "sing it every day"],
    "save money": ["write down what you spend", "make a plan", "buy only what you need", "put some away each week"],
    "fly a kite": ["find an open field", "check the wind", "hold the line", "let the kite rise"],
}

TOPICS: dict[str, tuple[list[str], list[str]]] = {
    "living in a city": (["there are many jobs", "shops are near"], ["it is noisy", "rent is expensive"]),
    "living on a farm": (["the air is clean", "food is fresh"], ["the work is hard", "shops are far"]),
    "owning a dog": (
        ["it keeps you company", "it guards the house"],
        ["it needs a walk every day", "food costs money"],
    ),
    "riding a bicycle": (["it is cheap", "it keeps you fit"], ["rain makes you wet", "it is slow on long trips"]),
    "driving a car": (["it is fast", "you can go anywhere"], ["fuel is expensive", "it makes the air dirty"]),
    "reading books": (["you learn new words", "it calms the mind"], ["it takes time", "it can hurt your eyes"]),
    "working at home": (
        ["you save travel time", "you can wear anything"],
        ["you see few people", "home can distract you"],
    ),
    "travel by train": (["you can read on the way", "it is safe"], ["it can be late", "tickets can be expensive"]),
    "having a garden": (["you can grow food", "it looks pretty"], ["it needs water", "weeds grow fast"]),
    "eating at home": (["it is cheap", "you know what is in it"], ["you must wash up", "cooking takes time"]),
}

RHYMES = [
    group.split()
    for group in (
        "cat hat mat rat",
        "day way play stay",
        "night light bright sight",
        "tree free bee sea",
        "moon soon spoon tune",
        "star far car jar",
        "rain train plain chain",
        "boat coat goat note",
        "king ring sing spring",
        "hill still mill fill",
    )
]
RHYME_OF = {word: group for group in RHYMES for word in group}

NUMBER_WORDS = "zero one two three four five six seven eight nine ten".split()


def article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def plural(noun: str) -> str:
    if noun.endswith(("ch", "sh", "s", "x")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return {
        "mouse": "mice",
        "goose": "geese",
        "sheep": "sheep",
        "wolf": "wolves",
        "knife": "knives",
        "potato": "potatoes",
        "tomato": "tomatoes",
        "mango": "mangoes",
        "shelf": "shelves",
    }.get(noun, noun + "s")
