"""Which pairs train, validate and test.

Shapes: N pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.text.cutter import FEW
from ...data.text.sentences import sentences
from ...errors import ConfigError, DataError, plural
from .metrics import Tokens, bleu_tokens, in_words
from .pairs import Pairs
from .rouge import has_rouge
from .settings import Seq2seqSettings
from .spans import closed_answers

CHARACTERS = 3  # of a Chinese or Japanese word or two: without a run of four, which BLEU counts
LONG, SUMMARY = 30, 1 / 3  # words of a text that is summarised, at least; share of them that is a summary
POINTED = 0.7  # share of answers that must be in their passages for all to be pointed at
LOOKED_AT = 2_000  # pairs by which is seen whether answers are summaries
VALID, TEST = 0.05, 0.1  # shares of the pairs
MOST = 2_000  # pairs that decide when to stop, or are held out, if nothing is said


@dataclass(frozen=True)
class PairPlan:
    """The places of the pairs of each part, in the order of the data."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray  # empty if nothing is held out
    tokens: Tokens  # what BLEU counts in such answers
    rank: str  # the metric that suits them
    pointed: bool  # whether answers are places of passages
    notes: tuple[str, ...] = ()
    sounds: bool = False  # whether sounds are read

    @property
    def test_size(self) -> int:
        """How many pairs are held out."""
        return len(self.test)


def make_plan(pairs: Pairs, settings: Seq2seqSettings, test_size: int | None) -> PairPlan:
    """Cut the pairs; about ``test_size`` of them are held out, a tenth if None.

    All pairs with the same text to read are in one part. The cut is the same for every seed. Raises DataError if there
    are too few pairs, and ConfigError if a size leaves none to train on.
    """
    count = len(pairs)
    if pairs.targets is None:
        raise DataError("There are no answers to learn from: give pairs of texts.")
    if settings.decoder == "span" and pairs.passages is None:
        raise DataError(
            "Answers are pointed at in passages, and there are none: name their column with passage_column=, or leave "
            "decoder= out."
        )
    if count < 2:
        raise DataError(f"There is {count} pair, and at least one more is needed to decide when to stop.")
    groups = _groups(pairs.together)
    if not groups.any():
        raise DataError("All pairs have the same text to read, so there is nothing to learn from it.")
    test = min(MOST, round(TEST * count)) if test_size is None else test_size
    valid = _valid_size(settings, count - test)
    if test + valid >= count:
        raise ConfigError(
            f"Of {count:,} pairs none would be left to train on: hold out fewer with test_size= or validation_size=."
        )
    order = _shuffled(groups)
    ends = _ends(groups[order], (test, test + valid))
    parts = [np.sort(part) for part in np.split(order, ends)]
    if not len(parts[2]):
        raise ConfigError("No pair would be left to train on, as too many have the same text to read.")
    said = f"{len(parts[2]):,} pair{plural(len(parts[2]))} to train on, {len(parts[1]):,} to decide when to stop"
    said += f", {len(parts[0]):,} held out to judge" if len(parts[0]) else ""
    tokens = bleu_tokens(pairs.targets)
    rank = "exact" if _are_short(pairs.targets, tokens) else "bleu"
    sounds = pairs.cases is not None and pairs.cases.rate is not None
    if sounds:
        rank = "wer" if in_words(tokens) else "cer"
    if rank == "bleu" and pairs.cases is not None and pairs.cases.shape is not None:
        rank = "cider"
    if rank == "bleu" and pairs.cases is None and has_rouge() and _are_summaries(pairs, tokens):
        rank = "rouge"
    if pairs.passages is not None:
        rank = "f1"
    return PairPlan(parts[2], parts[1], parts[0], tokens, rank, _are_spans(pairs), (said,), sounds)


def _are_spans(pairs: Pairs) -> bool:
    """Tell whether most answers stand in their passages, or are among the few that do not, such as yes and no."""
    if pairs.passages is None or pairs.targets is None:
        return False
    some = range(0, len(pairs), -(-len(pairs) // LOOKED_AT))
    texts = [(" ".join(one[n].casefold().split()) for one in (pairs.passages, pairs.targets)) for n in some]
    found = [said in about for about, said in texts]
    closed = set(closed_answers([pairs.targets[n] for n in some], found))
    known = [there or pairs.targets[n].strip() in closed for n, there in zip(some, found, strict=True)]
    return sum(known) >= POINTED * len(known)


def _are_short(texts: Sequence[str], tokens: Tokens) -> bool:
    """Tell whether ``texts`` are a word or two, such as names and dates, of which BLEU says nothing."""
    counts = sorted(_units(text, tokens) for text in texts)
    return counts[len(counts) // 2] <= (FEW if in_words(tokens) else CHARACTERS)


def _are_summaries(pairs: Pairs, tokens: Tokens) -> bool:
    """Tell whether answers are summaries: of texts of several sentences, and no more than a third as long."""
    some = range(0, len(pairs), -(-len(pairs) // LOOKED_AT))
    long = [n for n in some if _units(pairs.sources[n], tokens) >= LONG and len(sentences(pairs.sources[n])) > 1]
    assert pairs.targets is not None
    shares = [_units(pairs.targets[n], tokens) / _units(pairs.sources[n], tokens) for n in long]
    return 2 * len(long) > len(some) and float(np.median(shares)) <= SUMMARY


def _units(text: str, tokens: Tokens) -> int:
    """Return how many words a text has, or characters where no blanks are between words."""
    return len(text.split()) if in_words(tokens) else len("".join(text.split()))


def _groups(together: tuple[Any, ...]) -> np.ndarray:
    """Return a number for each pair (N,): the place of the first one with which it has to stay together."""
    first: dict[Any, int] = {}
    return np.array([first.setdefault(one, place) for place, one in enumerate(together)])


def _shuffled(groups: np.ndarray) -> np.ndarray:
    """Return the places of all pairs, those of a group together, the groups by chance but always the same."""
    _, number = np.unique(groups, return_inverse=True)
    lots = np.random.default_rng(1).permutation(number.max() + 1)
    return np.argsort(lots[number], kind="stable")


def _ends(groups: np.ndarray, wanted: tuple[int, int]) -> list[int]:
    """Return the nearest places, not before those ``wanted``, at which a group of the ordered ``groups`` begins."""
    begins = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    begins = np.append(begins, len(groups))
    return [int(begins[np.searchsorted(begins, place)]) for place in wanted]


def _valid_size(settings: Seq2seqSettings, left: int) -> int:
    wanted = settings.validation_size
    if wanted is None:
        return max(1, min(MOST, round(VALID * left)))
    size = round(wanted * left) if wanted < 1 else int(wanted)
    if size < 1:
        raise ConfigError(
            f"validation_size={wanted:g} keeps none of {left:,} pairs, but at least one is needed to decide when to "
            "stop."
        )
    return size
