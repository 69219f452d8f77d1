"""Tags that say which tokens are an entity together: B-PER I-PER O, and their relatives.

Shapes: n tokens of all sentences, one after another, K tags, m entities.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...data.cases import Cases, Marks
from ...nn.crf import Allowed

Array = np.ndarray
OUTSIDE, BEGIN, INSIDE, END, SINGLE = range(5)
ROLES = {"B": BEGIN, "I": INSIDE, "M": INSIDE, "E": END, "L": END, "S": SINGLE, "U": SINGLE}
TAG = re.compile(r"([BIMELSU])(?:([-_])(.+))?")
NOTHING = "O"


class Entities(NamedTuple):
    """Stretches of tokens that are one thing."""

    first: Array  # (m,) where each begins
    behind: Array  # (m,) where it has ended
    kind: Array  # (m,) the number of its type


@dataclass(frozen=True)
class Scheme:
    """How tags say where an entity begins and ends: by B and I alone, or by E and S, too, and by which letters.

    Every tag is ``O`` or a letter, a separator and a type. Entities are read as conlleval does (Tjong Kim Sang and
    Buchholz 2000, https://aclanthology.org/W00-0726): one begins at B or S, behind O, E or S, and where the type
    changes.
    """

    inside: str = "I"
    end: str | None = None  # None where the last token of an entity is not marked
    single: str | None = None
    separator: str = "-"

    @classmethod
    def of(cls, tags: Sequence[str]) -> "Scheme | None":
        """Return the scheme of these tags; None if one of them is of none."""
        found = [TAG.fullmatch(tag) for tag in tags if tag != NOTHING]
        letters = {match.group(1) for match in found if match}
        if None in found or not letters & {"B", "I"} or len({bool(m and m.group(3)) for m in found}) != 1:
            return None
        if all(match and match.group(3) is None for match in found) and "B" not in letters:
            return None
        separators = {match.group(2) for match in found if match} - {None}
        if len(separators) > 1:
            return None
        return cls(
            "M" if "M" in letters else "I",
            next((one for one in "EL" if one in letters), None),
            next((one for one in "SU" if one in letters), None),
            str(separators.pop()) if separators else "-",
        )

    def types(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return the types of these tags, in their order."""
        return tuple(dict.fromkeys(kind for _, kind in map(self.parts, tags) if kind is not None))

    def parts(self, tag: str) -> tuple[int, str | None]:
        """Return what a tag says of the place in an entity, and the type of that; None of none."""
        match = TAG.fullmatch(tag)
        return (OUTSIDE, None) if tag == NOTHING or match is None else (ROLES[match.group(1)], match.group(3) or "")

    def read(self, tags: Sequence[str]) -> tuple[Array, Array]:
        """Return the role (K,) of each tag, and the number (K,) of its type, -1 of none."""
        types = self.types(tags)
        parts = [self.parts(tag) for tag in tags]
        return (
            np.array([role for role, _ in parts], dtype=np.int64),
            np.array([-1 if kind is None else types.index(kind) for _, kind in parts], dtype=np.int64),
        )

    def written(self, kind: str, length: int) -> list[str]:
        """Return the tags of an entity of so many tokens."""
        letters = ["B"] + [self.inside] * (length - 1)
        if self.end is not None and length > 1:
            letters[-1] = self.end
        if self.single is not None and length == 1:
            letters = [self.single]
        return [f"{letter}{self.separator}{kind}" if kind else letter for letter in letters]

    def allowed(self, tags: Sequence[str]) -> Allowed:
        """Return which tags (K,) may come first, which may follow which, (K, K) from row to column, and come last."""
        role, kind = self.read(tags)
        fresh = np.isin(role, (OUTSIDE, BEGIN, SINGLE))
        open_ = np.isin(role, (BEGIN, INSIDE))
        same = kind[:, None] == kind[None, :]
        goes_on = open_[:, None] & np.isin(role, (INSIDE, END))[None, :] & same
        may_end = ~open_ | (self.end is None)
        return Allowed(fresh, goes_on | (may_end[:, None] & fresh[None, :]), may_end)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return vars(self).copy()


def entities(codes: Array, begins: Array, tags: Sequence[str], scheme: Scheme) -> Entities:
    """Return the entities in ``codes`` (n,), numbers of ``tags``; ``begins`` (n,) says where a sentence does."""
    roles, kinds = scheme.read(tags)
    role, kind = roles[codes], kinds[codes]
    before, kind_before = np.roll(role, 1), np.roll(kind, 1)
    inside = role != OUTSIDE
    closed = begins | np.isin(before, (OUTSIDE, END, SINGLE)) | (kind != kind_before)
    first = inside & (closed | np.isin(role, (BEGIN, SINGLE)))
    over = np.append((first | ~inside | begins)[1:], True)  # whether nothing goes on behind a token
    starts = np.flatnonzero(first)
    return Entities(starts, np.flatnonzero(inside & over) + 1, kind[starts])


def entities_found(
    cases: Array, true: Array, named: Array, tags: Sequence[str], scheme: Scheme
) -> dict[str, tuple[Array, Array]]:
    """Return the entities that are there, those that were named, and those of both: the type of each, and its case.

    ``cases``, ``true`` and ``named`` (n,) say of each token whose it is, and what it is and was called. An entity was
    named rightly if one of its type was named from its first token to its last, as conlleval counts.
    """
    begins = np.append(True, np.diff(cases) != 0)[: len(cases)]
    found = [entities(codes, begins, tags, scheme) for codes in (true, named)]
    keys = [(one.first * (len(cases) + 1) + one.behind) * (len(tags) + 1) + one.kind for one in found]
    hits = np.isin(keys[0], keys[1])
    owned = {name: (one.kind, cases[one.first]) for name, one in zip(("true_spans", "named_spans"), found, strict=True)}
    kinds, owners = owned["true_spans"]
    return owned | {"span_hits": (kinds[hits], owners[hits])}


def begins_of(lengths: Array) -> Array:
    """Return where sentences of these ``lengths`` begin, (n,) true and false."""
    found = np.zeros(int(lengths.sum()), bool)
    found[np.cumsum(lengths) - lengths] = True
    return found


def repaired(cases: Cases) -> tuple[Cases, list[str]]:
    """Return sentences whose tags keep to their scheme, with a note on how many did not; others as they are.

    No entity is another one then: where one began with I, it begins with B.
    """
    marks = cases.marks
    scheme = None if marks is None or cases.form != "sentences" else Scheme.of(marks.used)
    if marks is None or scheme is None or not len(marks.flat):
        return cases, []
    flat = marks.flat
    names = list(marks.names) + ([] if NOTHING in marks.names else [NOTHING])
    outside = names.index(NOTHING)
    found = entities(np.where(flat < 0, outside, flat), begins_of(cases.lengths), names, scheme)
    types = scheme.types(names)
    fixed = np.where(flat < 0, -1, outside)
    places = {name: n for n, name in enumerate(names)}
    for first, behind, kind in zip(*(part.tolist() for part in found), strict=True):
        for at, tag in enumerate(scheme.written(types[kind], behind - first), first):
            fixed[at] = places.setdefault(tag, len(places))
    changed = int((fixed != flat).sum())
    if not changed:
        return cases, []
    codes = tuple(np.split(fixed, np.cumsum(cases.lengths)[:-1]))
    said = f"careful: {changed:,} of {len(flat):,} tags {'break' if changed > 1 else 'breaks'} their scheme, such as "
    said += "I- behind O; that was mended, and entities are the same"
    mended = replace(cases, marks=Marks(codes, tuple(places)))
    order = getattr(cases, "order", ())
    if order:  # of the labels in y, in which those that mend are not
        mended = replace(mended, order=(*order, *(name for name in places if name not in order)))  # type: ignore[call-arg]
    return mended, [said]
