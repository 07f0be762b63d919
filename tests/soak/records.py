"""What the clients saw, held against what the log says: each exchange one intent and one end, or a refusal."""
import collections
import dataclasses
import json
import math
import pathlib

WHOLE, ERROR, LEFT, CUT = "whole", "error", "left", "cut"
# A refusal is counted into an entry of its window (S17): ten seconds, looked at every second, and as soon as a full disk lets it.
# A SIGKILL takes what no entry has counted yet. The rest is a busy machine's.
WINDOW_S, LOOK_S = 10 + 1 + 5, 1 + 5


@dataclasses.dataclass(slots=True)
class Seen:
    """What one client knows of one exchange."""
    client: str
    api: str
    began: float  # monotonic seconds
    ended: float = 0
    seed: int | None = None
    sent_bytes: int = 0
    status: int | None = None  # None: no head came
    exchange: str | None = None
    end: str = CUT  # WHOLE with its receipt; ERROR reply or event; LEFT by the client; CUT off
    unknown_caller: bool = False  # refused before it was known who asks
    outside: bool = False  # refused before it was known what is asked: no API in the entry


@dataclasses.dataclass
class Life:
    """One run of the monitor."""
    began: float
    ended: float = 0
    killed: bool = False
    uncounted_since: float = math.inf  # what was refused from here on may have died with it
    draining_since: float = math.inf  # told to stop: who comes now is not let in


def published_entries(folder):
    """The entries of an exported log: C2SP tlog-tiles bundles (docs/formats/checkpoint.md)."""
    folder = pathlib.Path(folder)
    size = int((folder / "checkpoint").read_text().splitlines()[1])
    for number in range((size + 255) // 256):
        width = min(256, size - number * 256)
        name, rest = f"{number % 1000:03d}", number // 1000
        while rest:
            name, rest = f"x{rest % 1000:03d}/{name}", rest // 1000
        path = folder / "tile" / "entries" / name
        data = (path if width == 256 else pathlib.Path(f"{path}.p/{width}")).read_bytes()
        at = 0
        for _ in range(width):
            length = int.from_bytes(data[at:at + 2], "big")
            yield json.loads(data[at + 2:at + 2 + length])
            at += 2 + length
        assert at == len(data), f"bundle {number} is longer than its entries"


class Log:
    """The exported log as exchanges and counts of refusals, with what it contradicts itself in."""

    def __init__(self, entries):
        self.problems = []
        self.intents, self.ends = {}, {}
        self.boots = []  # one for each run, in order
        self.refusals = collections.Counter()  # (run, status, api, caller)
        self.entries = 0
        for index, entry in enumerate(entries):
            self.entries += 1
            kind = entry["type"]
            if kind == "start":
                self.boots.append(entry["at"]["boot"])
            elif kind == "intent":
                if entry["exchange"] in self.intents:
                    self.problems.append(f"two intents of {entry['exchange']}")
                self.intents[entry["exchange"]] = (index, len(self.boots) - 1, entry)
            elif kind in ("outcome", "abort"):
                if entry["exchange"] in self.ends:
                    self.problems.append(f"two ends of {entry['exchange']}")
                if int(entry["intent_index"]) != self.intents.get(entry["exchange"], (None,))[0]:
                    self.problems.append(f"the end at {index} names no intent of its exchange")
                self.ends[entry["exchange"]] = entry
            elif kind == "refusal":
                self.refusals[len(self.boots) - 1, entry["status"], entry["api"], entry["caller"]] += entry["count"]
        for exchange, (index, _, _) in self.intents.items():
            if exchange not in self.ends:
                self.problems.append(f"the intent at {index} has no end")


def key_of_intent(intent):
    parameters = intent["parameters"]
    return (intent["api"], intent["received_bytes"], int(parameters["seed"]) if parameters["seed_by_caller"] else None)


def key_of_seen(seen):
    return (seen.api, seen.sent_bytes, seen.seed)


def ends_agree(seen, end):
    """May what the client saw and what the log says be one exchange?"""
    complete = end["type"] == "outcome" and end["result"] == "complete"
    if seen.end == WHOLE:
        return complete
    if seen.end == ERROR:
        return not complete
    return True  # who leaves or is cut off does not know how it ended


def reconcile(seen, log, lives):
    """The numbers of the agreement, and every disagreement in words."""
    problems = list(log.problems)
    if len(log.boots) != len(lives):
        problems.append(f"{len(lives)} runs of the monitor, and {len(log.boots)} start entries")
    counts = collections.Counter()
    pseudonyms = {}
    claimed, unheard, refused = {}, [], []

    def same_caller(record, intent):
        return pseudonyms.setdefault(record.client, intent["caller"]) == intent["caller"]

    # Who was told an exchange's id: that exchange and no other.
    for record in seen:
        if record.exchange in log.intents:
            _, _, intent = log.intents[record.exchange]
            if record.exchange in claimed:
                problems.append(f"two clients were answered as {record.exchange}")
            claimed[record.exchange] = record
            if key_of_intent(intent) != key_of_seen(record) or not same_caller(record, intent):
                problems.append(f"the intent of {record.exchange} is not what its client sent: {record} {intent}")
            end = log.ends.get(record.exchange)
            if end and not ends_agree(record, end):
                problems.append(f"{record.exchange} was '{record.end}' to its client, and ended as {end}")
        elif record.status is None:
            unheard.append(record)
        elif record.status >= 400:  # an id with it: the ledger took no intent
            refused.append(record)
        else:
            problems.append(f"an answer without an intent: {record}")
    if len(set(pseudonyms.values())) != len(pseudonyms):
        problems.append("two clients under one pseudonym")

    # Intents that no client can name: each belongs to one who never got a head.
    waiting = collections.defaultdict(list)
    for record in unheard:
        waiting[record.client, key_of_seen(record)].append(record)
    clients = {pseudonym: client for client, pseudonym in pseudonyms.items()}
    for exchange, (index, run, intent) in log.intents.items():
        if exchange in claimed:
            continue
        found = waiting.get((clients.get(intent["caller"]), key_of_intent(intent)))
        match = next((r for r in found or () if life_of(r, lives) == run), None)
        if match is None:
            problems.append(f"the intent at {index} ({exchange}, {intent['api']}) has no client")
            continue
        found.remove(match)
        claimed[exchange] = match
    for exchange, record in claimed.items():
        end = log.ends.get(exchange)
        if end:
            counts["abort" if end["type"] == "abort" else f"outcome {end['result']}"] += 1
        counts["by clients: " + record.end] += 1

    refusals(problems, counts, log, lives, refused, [r for group in waiting.values() for r in group], pseudonyms)
    counts["exchanges"], counts["intents"], counts["ends"] = len(seen), len(log.intents), len(log.ends)
    counts["told an id"] = sum(1 for r in claimed.values() if r.exchange)
    return counts, problems


def life_of(record, lives):
    return max((n for n, life in enumerate(lives) if life.began <= record.began), default=0)


def refusals(problems, counts, log, lives, refused, unheard, pseudonyms):
    """Refusals are counted, not listed (S17). A run that ended in order has counted each; one that was killed all but its last
    window's. A client without a head may have been refused without hearing it, or its request never arrived."""
    def key(record, status):
        caller = "" if record.unknown_caller or record.outside else pseudonyms.get(record.client, "")
        return life_of(record, lives), status, "" if record.outside else record.api, caller

    def who_of(record):
        run, _, *who = key(record, 0)
        return run, *who

    clients, late = collections.Counter(), collections.Counter()
    unknown, heard, counted, lost = (collections.Counter() for _ in range(4))  # by run, API and caller; lost: what may be
    for record in refused:
        name = key(record, record.status)
        clients[name] += 1
        if record.ended > lives[name[0]].uncounted_since:
            late[name] += 1
            lost[name[0], *name[2:]] += 1
    for record in unheard:
        who = who_of(record)
        life = lives[who[0]]
        unknown[who] += 1
        lost[who] += record.ended > min(life.uncounted_since, life.draining_since, life.ended - LOOK_S)
    for name in sorted(set(clients) | set(log.refusals)):
        heard[name[0], *name[2:]] += clients[name]
        counted[name[0], *name[2:]] += log.refusals[name]
        if log.refusals[name] < clients[name] - late[name]:
            problems.append(f"{clients[name]} refusals {name} were heard, {late[name]} of them in a killed run's last window, and {log.refusals[name]} are in the log")
        if log.refusals[name] > clients[name] + unknown[name[0], *name[2:]]:
            problems.append(f"{clients[name]} refusals {name} were heard, and {log.refusals[name]} are in the log")
    for who in set(heard) | set(counted) | set(unknown):
        missing = heard[who] + unknown[who] - counted[who]
        if missing < 0:
            problems.append(f"{-missing} refusals {who} in the log are nobody's")
        if missing > lost[who]:
            life = lives[who[0]]
            times = [f"{r.end} {r.began - life.began:.3f} to {r.ended - life.began:.3f} s" for r in unheard if who_of(r) == who]
            problems.append(f"{missing} exchanges {who} left nothing in the log, and the monitor's end excuses {lost[who]}; without a head in "
                            f"that run of {life.ended - life.began:.3f} s: {', '.join(times[:20])}")
        counts["refused or cut off at the monitor's end, without an entry"] += max(0, missing)
    counts["refusals heard"], counts["refusals in entries"] = sum(heard.values()), sum(counted.values())
    counts["no head, and no intent"] = sum(unknown.values())
