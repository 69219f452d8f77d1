"""Which cases train, validate and test, and in which sizes a case is read.

Shapes: N cases, K classes.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...data.cases import Cases
from ...errors import ConfigError, DataError
from ..base import Tell
from .settings import ClassifySettings

VALIDATION_SHARE, TEST_SHARE = 0.2, 0.2


@dataclass(frozen=True)
class ClassifyPlan:
    """The places of the cases of each part, in the order of the data."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray  # empty if nothing is held out
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def test_size(self) -> int:
        """How many cases are held out."""
        return len(self.test)


def make_plan(cases: Cases, settings: ClassifySettings, test_size: int | None) -> ClassifyPlan:
    """Cut ``cases`` class by class; ``test_size`` of them are held out, a fifth if None.

    The cut is the same for every seed, so that what was held out is held out of every training.
    Raises DataError if there is one class only, or too few cases; ConfigError if a size leaves none.
    """
    labels = labels_of(cases, "to train on")
    classes = classes_of(cases)
    if len(classes) < 2:
        raise DataError(
            f"All {len(cases):,} cases are of one class, '{classes[0]}': there is nothing to tell apart. Bring cases "
            "of at least two classes."
        )
    codes = codes_of(labels, classes)
    rest = np.arange(len(cases))
    size = round(TEST_SHARE * len(cases)) if test_size is None else test_size
    check_size(size, len(cases), "test")
    test = stratified(codes, rest, size, 1)
    rest = np.setdiff1d(rest, test)
    valid = stratified(codes, rest, _validation_size(settings, len(rest), len(classes)), 2)
    train = np.setdiff1d(rest, valid)
    if not len(valid):
        raise DataError(
            f"No class has two cases to train on: there are {len(rest):,} cases of {len(classes)} classes, and at "
            "least one must be kept to decide when to stop. Bring more cases of each class, or name the column of the "
            "labels with target= if another one was taken."
        )
    plan = ClassifyPlan(train, valid, test, classes, ())
    return replace(plan, notes=_describe(codes, plan, settings))


def labels_of(cases: Cases, what: str) -> tuple[str, ...]:
    """Return the labels; raises DataError if there are none."""
    if cases.labels is None:
        raise DataError(
            f"These {len(cases):,} cases have no labels, or not each of them has one; without them there is nothing "
            f"{what}. Give each case its label."
        )
    return cases.labels


def classes_of(cases: Cases) -> tuple[str, ...]:
    """Return the classes, sorted: by number if all are whole numbers, else as text, or as they came with a y."""
    order = getattr(cases, "order", ())
    found = set(cases.labels or ())
    if order:
        return tuple(name for name in order if name in found)
    try:
        return tuple(sorted(found, key=lambda name: (int(name), name)))
    except ValueError:
        return tuple(sorted(found))


def codes_of(labels: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
    """Return the place of each label among the classes, int64 (N,); -1 where it is none of them."""
    places = {name: n for n, name in enumerate(classes)}
    return np.array([places.get(label, -1) for label in labels], dtype=np.int64)


def check_size(size: int, count: int, what: str) -> None:
    """Raise ConfigError if nothing would be left."""
    if size >= count:
        raise ConfigError(f"A {what} size of {size} leaves none of {count} cases to train on. Give a smaller one.")


def _validation_size(settings: ClassifySettings, count: int, classes: int) -> int:
    wanted = settings.validation_size
    if wanted is None:
        return max(round(VALIDATION_SHARE * count), min(classes, count // 2), 1)
    size = round(wanted * count) if wanted < 1 else int(wanted)
    if size < 1:
        raise ConfigError(
            f"validation_size={wanted:g} keeps none of {count} cases, but at least one is needed to decide when to "
            "stop."
        )
    check_size(size, count, "validation")
    return size


def stratified(codes: np.ndarray, places: np.ndarray, size: int, seed: int, left: int = 1) -> np.ndarray:
    """Return ``size`` of the ``places``, each class in proportion, drawn at random but always the same; sorted.

    Of every class so many are ``left`` behind, so that there may be fewer than ``size``; where they suffice, of every
    class that can spare one at least one is taken.
    """
    own = codes[places]
    counts = np.bincount(own, minlength=int(codes.max(initial=0)) + 1)
    room = np.maximum(counts - left, 0)
    taken = np.zeros_like(counts)
    share = counts * size / max(1, len(places))
    for _ in range(min(size, int(room.sum()))):
        # What is owed most; a class of which nothing was taken yet comes before all others.
        owed = np.where(taken < room, share - taken + 1e6 * (taken == 0), -np.inf)
        taken[int(np.argmax(owed))] += 1
    random = np.random.default_rng(seed)
    chosen = [random.permutation(places[own == code])[: taken[code]] for code in range(len(counts))]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _describe(codes: np.ndarray, plan: ClassifyPlan, settings: ClassifySettings) -> tuple[str, ...]:
    classes = plan.classes
    counts = np.bincount(codes, minlength=len(classes))
    shown = ", ".join(f"'{name}' {count:,}" for name, count in list(zip(classes, counts, strict=True))[:6])
    more = f" and {len(classes) - 6} more" if len(classes) > 6 else ""
    at_last = " and train at the end" if settings.last_epochs else ""
    split = f"{len(plan.train):,} cases train, {len(plan.valid):,} decide when to stop{at_last}"
    split += f", {len(plan.test):,} are held out to judge" if len(plan.test) else ""
    notes = [f"{len(classes)} classes: {shown}{more}", split]
    single = int((counts == 1).sum())
    if single:
        notes.append(f"{single} class(es) have a single case, which stays in the training")
    return tuple(notes)


def part_to_judge(
    cases: Cases, settings: ClassifySettings, size: int | None, held_out: int | None, tell: Tell
) -> np.ndarray | None:
    """Return the places of the cases to judge on, None for all; ``size`` is how many, those held out if not given."""
    if held_out is None:  # other data than those of the training
        if size is None:
            return None
        check_size(size, len(cases) + 1, "test")
        return some_of(cases, np.arange(len(cases)), size)
    if not held_out:
        tell(["careful: nothing was held out of the training of this run, so it has seen these cases"])
        return None if size is None else some_of(cases, np.arange(len(cases)), size)
    test = make_plan(cases, settings, held_out).test
    if size is None or size == held_out:
        return test
    if size < held_out:
        return some_of(cases, test, size)
    size = min(size, len(cases))
    tell([f"careful: of these {size:,} cases only {held_out:,} were held out of the training of this run"])
    others = np.setdiff1d(np.arange(len(cases)), test)
    return np.sort(np.concatenate([test, some_of(cases, others, size - held_out)]))


def some_of(cases: Cases, places: np.ndarray, size: int) -> np.ndarray:
    """Return ``size`` of the ``places``, each class in proportion."""
    if size >= len(places):
        return places
    return stratified(codes_of(labels_of(cases, "to judge by"), classes_of(cases)), places, size, 3, left=0)
