"""Covariates as numbers: what was learned of each column from the training rows, and how its values are encoded.

Shapes: n steps, V columns, W numbers of all of them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...data.moments import moments
from ...data.series import Panel

MOST = 50  # categories of a column that are told apart, the commonest; all others are one
UNKNOWN = -1.0  # a category that was not there in training


@dataclass(frozen=True)
class Variable:
    """One column: its mean and deviation in the training rows, or its categories there."""

    name: str
    mean: float = 0.0
    std: float = 1.0
    categories: tuple[str, ...] | None = None
    holes: bool = False  # whether values were missing in training, so that the network is told where

    @property
    def width(self) -> int:
        """How many numbers one value is to the network."""
        return (1 if self.categories is None else len(self.categories)) + self.holes

    @classmethod
    def of(cls, name: str, values: np.ndarray, categories: tuple[str, ...] | None) -> "Variable":
        """Learn from the training ``values`` (n,), which are numbers or places in ``categories``."""
        known = values[np.isfinite(values)]
        holes = len(known) < len(values)
        if categories is None:
            if not len(known):
                return cls(name, holes=holes)
            mean, std = moments(known[:, None])
            return cls(name, float(mean[0]), float(std[0]), holes=holes)
        counts = np.bincount(known.astype(np.int64), minlength=len(categories))
        chosen = sorted(np.argsort(-counts, kind="stable")[:MOST].tolist())
        return cls(name, categories=tuple(categories[n] for n in chosen if counts[n]), holes=holes)

    def coded(self, values: np.ndarray, categories: tuple[str, ...] | None) -> np.ndarray:
        """Return ``values`` (n,), of which categories are places in others, as they were in training."""
        if self.categories is None or categories is None:
            return values
        places = {name: float(n) for n, name in enumerate(self.categories)}
        own = np.array([*(places.get(name, UNKNOWN) for name in categories), UNKNOWN, np.nan])
        known = np.where(values < 0, len(categories), values)
        return own[np.where(np.isfinite(values), known, len(categories) + 1).astype(np.int64)]

    def encoded(self, values: np.ndarray) -> np.ndarray:
        """Return ``coded`` values (n,) as the network reads them (n, width): zeros where nothing is known."""
        known = np.isfinite(values)
        if self.categories is None:
            columns = [np.where(known, (values - self.mean) / self.std, 0.0)]
        else:
            columns = [values == n for n in range(len(self.categories))]
        columns += [~known] if self.holes else []
        return np.stack(columns, 1).astype(np.float32) if columns else np.zeros((len(values), 0), np.float32)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        categories = None if self.categories is None else list(self.categories)
        return {
            "name": self.name, "mean": self.mean, "std": self.std, "categories": categories, "holes": self.holes
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Variable":
        """Return what ``to_plain`` gave."""
        categories = plain["categories"]
        return cls(**{**plain, "categories": None if categories is None else tuple(categories)})


class Variables(NamedTuple):
    """All covariates, by how much is known of them."""

    known: tuple[Variable, ...] = ()
    past: tuple[Variable, ...] = ()
    static: tuple[Variable, ...] = ()

    @classmethod
    def of(cls, panel: Panel, ends: Sequence[int], silent: Sequence[str] = ()) -> "Variables":
        """Learn from the rows of ``panel`` up to the ``ends`` of its series, but of no ``silent`` column."""
        if not panel.beside:
            return cls()
        found = {}
        for sort in cls._fields:
            names = panel.columns(sort)
            parts = [getattr(one, sort) for one in panel.beside]
            rows = np.stack(parts) if sort == "static" else np.concatenate(
                [part[:end] for part, end in zip(parts, ends, strict=True)]
            )  # fmt: skip
            found[sort] = tuple(
                Variable.of(name, rows[:, n], panel.categories.get(name))
                for n, name in enumerate(names)
                if name not in silent
            )
        return cls(**found)

    def coded(self, panel: Panel, sort: str) -> list[np.ndarray]:
        """Return the columns of one ``sort`` as they were coded in training, for each series of ``panel``: (n, V)."""
        variables: tuple[Variable, ...] = getattr(self, sort)
        names, columns = panel.columns(sort), []
        for one in panel.beside:
            values = np.atleast_2d(getattr(one, sort))
            parts = [v.coded(values[:, names.index(v.name)], panel.categories.get(v.name)) for v in variables]
            columns.append(np.stack(parts, 1) if parts else np.zeros((len(values), 0)))
        return columns

    def to_plain(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {sort: [one.to_plain() for one in variables] for sort, variables in self._asdict().items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Variables":
        """Return what ``to_plain`` gave."""
        return cls(**{sort: tuple(map(Variable.from_plain, some)) for sort, some in plain.items()})


def empty_in(panel: Panel, ends: Sequence[int]) -> list[str]:
    """Return the columns that hold no value in the rows of ``panel`` up to the ``ends`` of its series."""
    found = []
    for sort in Variables._fields if panel.beside else ():
        parts = [np.atleast_2d(getattr(one, sort)) for one in panel.beside]
        rows = [part if sort == "static" else part[:end] for part, end in zip(parts, ends, strict=False)]
        known = np.any([np.isfinite(part).any(0) for part in rows], 0)
        found += [name for name, is_known in zip(panel.columns(sort), known, strict=True) if not is_known]
    return found


class Around(NamedTuple):
    """The covariates around a forecast from the end of each series, as they were coded in training."""

    known: np.ndarray  # (S, M + H, K), NaN where missing
    past: np.ndarray  # (S, M, P)
    static: np.ndarray  # (S, V)

    def rows(self, chosen: np.ndarray) -> "Around":
        """Return those of some series."""
        return Around(*(part[chosen] for part in self))


def around(variables: Variables, panel: Panel, memory: int, horizon: int, joint: bool) -> Around | None:
    """Return what is known around the end of each row series of ``panel``; None if there are no covariates.

    All columns of a table that is read together have the same.
    """
    if not panel.beside:
        return None
    panel = panel.some([0]) if joint else panel
    ends = [len(values) for values in panel.values]
    near = tuple(
        one._replace(known=cut(one.known, end - memory, end + horizon), past=cut(one.past, end - memory, end))
        for one, end in zip(panel.beside, ends, strict=True)
    )
    panel = replace(panel, beside=near)
    known, past, static = (variables.coded(panel, sort) for sort in Variables._fields)
    return Around(np.stack(known), np.stack(past), np.concatenate(static))


def cut(rows: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return ``rows`` (n, ...) from ``first`` to before ``last``, missing where there are none."""
    found = np.full((last - first, *rows.shape[1:]), np.nan)
    inside = rows[max(first, 0) : max(last, 0)]
    begin = max(first, 0) - first
    found[begin : begin + len(inside)] = inside
    return found


def encoded(variables: Sequence[Variable], coded: np.ndarray) -> np.ndarray:
    """Return ``coded`` columns (n, V) as the network reads them: (n, W)."""
    parts = [one.encoded(coded[:, n]) for n, one in enumerate(variables)]
    return np.concatenate(parts, 1) if parts else np.zeros((len(coded), 0), np.float32)
