"""Questions over small worlds made by rules: one command of recurra for each row and seed.

    python benchmarks/accuracy/worlds.py FOLDER [--seeds 3] [--judge test] [--sets span] [--out FILE] [SETTINGS..]

People walk from place to place, take things and drop them; a story has 6 to 12 such sentences. Asked is where somebody
is (one fact), where a thing is (two facts: who has it, and where that one went or dropped it), whether somebody is at a
place (yes or no), and how many things somebody carries (none to three). All four are learned by one network from 16,000
questions, of which a twentieth decides when to stop, and each is judged by 1,000 others, in whose stories nobody has a
name that was ever seen in training. FOLDER is where the tables are written; a line of JSON is added to ``--out``
(worlds.jsonl) for every training, and what is in it already is not done again. With ``--judge validation`` the test is
never read: as many other questions with other names never seen judge. Other arguments go to ``recurra train``.
"""

import csv
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fits import Fit, Fits, judged, trained

from recurra import Translator

TRAIN, TEST = 4_000, 1_000  # questions of each kind
NAMES = (
    "Ann", "Bob", "Carl", "Dora", "Emil", "Fay", "Gus", "Hope", "Ivan", "Jane",
    "Karl", "Lea", "Max", "Nora", "Otto", "Paul", "Rosa", "Sam", "Tom", "Uma",
    "Vera", "Will", "Yara", "Zoe", "Adam", "Bella", "Chris", "Daisy", "Eric", "Flora",
    "Greg", "Helen", "Igor", "Jack", "Kate", "Leo", "Mia", "Nick", "Olga", "Peter",
)  # fmt: skip
UNSEEN = {
    "validation": ["Quinn", "Rhea", "Silas", "Tessa", "Ugo", "Viola", "Wanda", "Xenia", "Yusuf", "Zara"],
    "test": ["Amir", "Bruno", "Celia", "Dario", "Edith", "Fritz", "Gwen", "Hugo", "Irma", "Jonas"],
}
PLACES = ["kitchen", "garden", "office", "bedroom", "hall", "cellar", "attic", "school"]
THINGS = ["apple", "ball", "book", "cup", "lamp", "key"]
WENT, TOOK, LEFT = ("went to", "walked to", "ran to"), ("took", "picked up", "grabbed"), ("dropped", "put down", "left")
COUNTS = ("none", "one", "two", "three")
KINDS = ("one fact", "two facts", "yes or no", "counting")


class Asked(NamedTuple):
    """A story, a question about it, and the right answer."""

    passage: str
    question: str
    answer: str


class World:
    """Who is where, who has what, and what was told of it."""

    def __init__(self, draw: random.Random, names: Sequence[str]):
        self.draw, self.people = draw, draw.sample(list(names), 4)
        self.places: dict[str, str] = {}  # of people who have gone somewhere, and of things that lie there
        self.holders: dict[str, str] = {}
        self.told: list[str] = []
        for _ in range(draw.randint(6, 12)):
            self.happen()

    def happen(self) -> None:
        """Let somebody do something, and tell it."""
        who = self.draw.choice(self.people)
        free = [thing for thing in THINGS if thing not in self.holders]
        has = [thing for thing, holder in self.holders.items() if holder == who]
        what = self.draw.random()
        if what < 0.5 or who not in self.places or not (has or free):
            self.places[who] = self.draw.choice([one for one in PLACES if one != self.places.get(who)])
            self.tell(who, WENT, self.places[who])
        elif not has or (what < 0.85 and len(has) < 3 and free):
            thing = self.draw.choice(free)
            self.holders[thing] = who
            self.places.pop(thing, None)
            self.tell(who, TOOK, thing)
        else:
            thing = self.draw.choice(has)
            del self.holders[thing]
            self.places[thing] = self.places[who]
            self.tell(who, LEFT, thing)

    def tell(self, who: str, did: Sequence[str], what: str) -> None:
        """Add a sentence."""
        self.told.append(f"{who} {self.draw.choice(did)} the {what}.")

    def asked(self, kind: str) -> tuple[str, str] | None:
        """Return a question of this kind and its answer, if this world has one."""
        people = [one for one in self.people if one in self.places]
        who = self.draw.choice(people)
        if kind == "one fact":
            return f"Where is {who}?", self.places[who]
        if kind == "two facts":
            known = [one for one in THINGS if one in self.places or one in self.holders]
            if not known:
                return None
            thing = self.draw.choice(known)
            return f"Where is the {thing}?", self.places[self.holders.get(thing, thing)]
        if kind == "yes or no":
            place = self.places[who] if self.draw.random() < 0.5 else self.draw.choice(PLACES)
            return f"Is {who} in the {place}?", "yes" if self.places[who] == place else "no"
        return f"How many things does {who} carry?", COUNTS[sum(one == who for one in self.holders.values())]


def questions(kind: str, count: int, names: Sequence[str], seed: str) -> Iterator[Asked]:
    """Yield so many different questions of a kind; as many of each answer that is no place."""
    draw = random.Random(f"{kind} {seed}")
    seen: set[tuple[str, str]] = set()
    wanted = {"yes or no": ("yes", "no"), "counting": COUNTS}.get(kind, ())
    while len(seen) < count:
        world = World(draw, names)
        found = world.asked(kind)
        if found is None or (wanted and found[1] != wanted[len(seen) % len(wanted)]):
            continue
        passage = " ".join(world.told)
        if (passage, found[0]) not in seen:
            seen.add((passage, found[0]))
            yield Asked(passage, *found)


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), ROWS, "worlds.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(ROWS[name], asked.folder, "test" if asked.by_test else "validation", seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def written(path: Path, rows: Sequence[Asked]) -> Path:
    """Write a table, unless it is there."""
    if not path.exists():
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([Asked._fields, *rows])
    return path


def run(row: dict[str, Any], folder: Path, judge: str, seed: int, settings: list[str]) -> Fit:
    """Train on all kinds of questions, and judge by each."""
    every = [one for kind in KINDS for one in questions(kind, TRAIN, NAMES, "train")]
    tests = {kind: list(questions(kind, TEST, UNSEEN[judge], judge)) for kind in KINDS}
    train = written(folder / "train.csv", every)
    whole = written(folder / f"{judge}.csv", [one for kind in KINDS for one in tests[kind]])
    flags = []
    for name, value in (COMMON | row).items():
        flag = f"--{name.replace('_', '-')}"
        flags.append(flag if value is True else f"{flag}={value}")
    with tempfile.TemporaryDirectory() as place:
        fit = trained("seq2seq", train, whole, seed, [*flags, *settings], Path(place, "run"))
        model = Translator.load(Path(place, "run"))
    kinds = {}
    for kind, some in tests.items():
        said = model.predict([(one.question, one.passage) for one in some])
        kinds[kind] = sum(one.answer == text for one, text in zip(some, said, strict=True)) / len(some)
    return fit | {"kinds": kinds}


COMMON: dict[str, Any] = {"hidden_size": 96, "max_epochs": 10}
ROWS: dict[str, dict[str, Any]] = {  # those that are written have as many parameters
    "span": {},
    "span with flow": {"flow": True},
    "written": {"decoder": "attending", "copy": True},
    "written without attention": {"attention": "none", "hidden_size": 121},
}


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: the share that is right of each kind, mean and worst of the seeds."""
    yield f"| answers | {' | '.join(KINDS)} | sentence in common | weights | CPU seconds |"
    yield f"|{'---|' * (len(KINDS) + 4)}"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        shares = []
        for kind in KINDS:
            some = [100 * one["kinds"][kind] for one in runs]
            shares.append(f"{sum(some) / seeds:.1f} ({min(some):.1f})")
        common = 100 * runs[0]["metrics"].get("sentence in common", {}).get("f1", float("nan"))
        seconds = sum(one["cpu_seconds"] for one in runs) / seeds
        yield f"| {name} | {' | '.join(shares)} | F1 {common:.1f} | {runs[0]['parameters']:,} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
