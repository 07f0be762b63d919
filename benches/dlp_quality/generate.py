"""Prints the generated set as JSON: rows of text, each with at most one value and its place, and what was thrown away.

usage: generate.py PER_CLASS SEED      in an environment with faker, python-stdnum, schwifty and phonenumbers
"""

import importlib.metadata
import json
import random
import sys

from faker import Faker
from keys import secrets
from national import national
from nothing import nothing
from people import REFUSED, people
from texts import SOURCE


def main():
    n, seed = int(sys.argv[1]), int(sys.argv[2])
    SOURCE.seed(seed)
    Faker.seed(seed)
    random.seed(seed)  # schwifty and rstr draw from it
    rows = [*people(n), *national(n), *secrets(n), *nothing(n)]
    versions = {name: importlib.metadata.version(name) for name in ("faker", "python-stdnum", "schwifty", "phonenumbers")}
    json.dump({"rows": rows, "refused": REFUSED, "versions": versions}, sys.stdout)


main()
