"""Prints the generated set as JSON: rows of text, each with at most one value and its place, and what was thrown away.

usage: generate.py PER_CLASS      in an environment with faker, python-stdnum, schwifty and phonenumbers
"""

import importlib.metadata
import json
import sys

from keys import secrets
from national import national
from nothing import nothing
from people import REFUSED, people


def main():
    n = int(sys.argv[1])
    rows = [*people(n), *national(n), *secrets(n), *nothing(n)]
    versions = {name: importlib.metadata.version(name) for name in ("faker", "python-stdnum", "schwifty", "phonenumbers")}
    json.dump({"rows": rows, "refused": REFUSED, "versions": versions}, sys.stdout)


main()
