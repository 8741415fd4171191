"""Damaged texts for the tests of readers of motion files: sound bytes, wrong words and lines."""

import random

WORDS = (
    "nan", "inf", "-1e308", "1e-320", "0", "-1", "1" * 400, "{", "}", "end", "begin", "root", "x", "#",
    "End Site", "JOINT a", "XYZ", "rx", "1e9",
)  # fmt: skip


def damage_words(data: bytes, seed: int) -> bytes:
    """A text with one to three words or lines changed, removed, doubled or exchanged, by the seed."""
    chance = random.Random(seed)
    lines = data.decode().splitlines()
    for _ in range(chance.randint(1, 3)):
        # Half of the damages in the part that says what the numbers mean.
        place = chance.randrange(min(len(lines), chance.choice((200, len(lines)))))
        words = lines[place].split(" ")
        kind = chance.choice(("word", "word", "word", "drop", "remove", "double", "exchange"))
        if kind == "word":
            words[chance.randrange(len(words))] = chance.choice(WORDS)
            lines[place] = " ".join(words)
        elif kind == "drop":
            del words[chance.randrange(len(words))]
            lines[place] = " ".join(words)
        elif kind == "remove":
            del lines[place]
        elif kind == "double":
            lines.insert(place, lines[place])
        else:
            other = chance.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines).encode()
