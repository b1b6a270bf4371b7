"""What the world knows of things: kinds, sizes, uses, places and the forms of their names."""

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
