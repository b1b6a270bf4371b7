"""What the world knows of people and doings: words, verbs, requests, reviews, chores, topics, rhymes."""

from __future__ import annotations

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
