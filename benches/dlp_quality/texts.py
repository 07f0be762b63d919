"""What the generators share: one seeded source, sentences, rows. Runs in the generators' own environment."""

import random

SOURCE = random.Random(0)  # generate.py seeds it
DIGITS = "0123456789"
HEX = "0123456789abcdef"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
WORD = UPPER + LOWER + DIGITS
URL_SAFE = WORD + "_-"
BASE64 = WORD + "+/"

# No word in them says what the value is.
NEUTRAL = ["The value {} was given.", "{}", "Please check {} before noon, thanks.", "row;17;{};open", '{"v": "{}"}', "see: {}\nnext line",
           "I wrote it down ({}) yesterday", "<td>{}</td>", "a, b, {}, d", "'{}' it is"]


def chars(alphabet, n):
    return "".join(SOURCE.choices(alphabet, k=n))


def digits(n):
    return chars(DIGITS, n)


def pick(values):
    return SOURCE.choice(values)


def row(kind, detail, value, templates):
    """The value in one of the sentences; kind "none" is a value that nothing should be found in."""
    before, _, after = pick(templates).partition("{}")
    return {"kind": kind, "detail": detail, "text": before + value + after, "begin": len(before), "end": len(before) + len(value)}


def until(valid, make, tries=200_000):
    """The first of make() that is valid; rejection sampling against an independent check."""
    for _ in range(tries):
        value = make()
        if valid(value):
            return value
    raise SystemExit(f"generator: no valid value in {tries} tries, the last one was {value}")


def day(first=1930, last=2005):
    return SOURCE.randint(first, last), SOURCE.randint(1, 12), SOURCE.randint(1, 28)
