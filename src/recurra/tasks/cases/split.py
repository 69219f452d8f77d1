"""Which cases train, validate and test.

Shapes: N cases.
"""

from dataclasses import dataclass

import numpy as np

from ...errors import ConfigError, plural
from .settings import CaseSettings

VALIDATION_SHARE, TEST_SHARE = 0.2, 0.2


@dataclass(frozen=True)
class Split:
    """The places of the cases of each part, in the order of the data."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray  # empty if nothing is held out
    notes: tuple[str, ...] = ()
    written: bool = False  # whether the cases are texts

    @property
    def used(self) -> np.ndarray:
        """The places of the cases that are not held out: those that train, then those that validate."""
        return np.concatenate([self.train, self.valid])

    @property
    def test_size(self) -> int:
        """How many cases are held out."""
        return len(self.test)


def split_cases(groups: np.ndarray, settings: CaseSettings, test_size: int | None) -> Split:
    """Cut N cases group by group, by the number of each one's group (N,); a fifth is held out if ``test_size`` is None.

    The cut is the same for every seed, so that what was held out is held out of every training. Groups of one case
    stay in the training, so that parts may be empty. Raises ConfigError if a size leaves none to train on.
    """
    count = len(groups)
    size = round(TEST_SHARE * count) if test_size is None else test_size
    check_size(size, count, "test")
    test = stratified(groups, np.arange(count), size, 1)
    rest = np.setdiff1d(np.arange(count), test)
    valid = stratified(groups, rest, _validation_size(settings, len(rest), len(np.unique(groups))), 2)
    train = np.setdiff1d(rest, valid)
    at_last = " and train at the end" if settings.last_epochs else ""
    said = f"{len(train):,} case{plural(len(train))} to train on, {len(valid):,} to decide when to stop{at_last}"
    said += f", {len(test):,} held out to judge" if len(test) else ""
    return Split(train, valid, test, (said,))


def check_size(size: int, count: int, what: str) -> None:
    """Raise ConfigError if nothing would be left."""
    if size >= count:
        raise ConfigError(f"A {what} size of {size} leaves none of {count} cases to train on. Give a smaller one.")


def _validation_size(settings: CaseSettings, count: int, groups: int) -> int:
    wanted = settings.validation_size
    if wanted is None:
        return max(round(VALIDATION_SHARE * count), min(groups, count // 2), 1)
    size = round(wanted * count) if wanted < 1 else int(wanted)
    if size < 1:
        raise ConfigError(
            f"validation_size={wanted:g} keeps none of {count} cases, but at least one is needed to decide when to "
            "stop."
        )
    check_size(size, count, "validation")
    return size


def stratified(groups: np.ndarray, places: np.ndarray, size: int, seed: int, left: int = 1) -> np.ndarray:
    """Return ``size`` of the ``places``, each group in proportion, drawn at random but always the same; sorted.

    Of every group so many are ``left`` behind, so that there may be fewer than ``size``; where they suffice, of every
    group that can spare one at least one is taken.
    """
    own = groups[places]
    counts = np.bincount(own, minlength=int(groups.max(initial=0)) + 1)
    room = np.maximum(counts - left, 0)
    taken = np.zeros_like(counts)
    share = counts * size / max(1, len(places))
    for _ in range(min(size, int(room.sum()))):
        # What is owed most; a group of which nothing was taken yet comes before all others.
        owed = np.where(taken < room, share - taken + 1e6 * (taken == 0), -np.inf)
        taken[int(np.argmax(owed))] += 1
    random = np.random.default_rng(seed)
    chosen = [random.permutation(places[own == group])[: taken[group]] for group in range(len(counts))]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def some_of(groups: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Return ``size`` of the ``places``, each group in proportion; all of them if there are no more."""
    return places if size >= len(places) else stratified(groups, places, size, 3, left=0)
