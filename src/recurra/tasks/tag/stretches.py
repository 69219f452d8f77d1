"""Spans: steps of one label that follow each other; which of those that were named are there.

Shapes: n steps whose label is known, of all cases.
"""

import numpy as np

Array = np.ndarray
Owned = tuple[Array, Array]  # the label of each span, and its case


def starts_of(cases: Array, labels: Array) -> Array:
    """Return where a span begins (n,): where the case or the label is another one."""
    first = np.ones(len(cases), bool)
    first[1:] = (np.diff(cases) != 0) | (np.diff(labels) != 0)
    return first


def spans_found(cases: Array, true: Array, named: Array) -> dict[str, Owned]:
    """Return the spans that are there, those that were named, and those that were named rightly.

    ``cases``, ``true`` and ``named`` (n,) say of each step whose it is, and what it is and was called; steps that are
    not known are not among them, so that a span goes on behind them. A span was named rightly if one of the same label
    was named that shares more than half of all steps of the two: ``|A ∩ B| / |A ∪ B| > 1/2``. There is never more than
    one such (Kirillov et al., arXiv 1801.00868), so none counts twice, and no order decides.
    """
    begun, called = starts_of(cases, true), starts_of(cases, named)
    own, other = np.cumsum(begun) - 1, np.cumsum(called) - 1  # the span of each step, there and as named
    sizes, named_sizes = np.bincount(own), np.bincount(other)
    shared = np.flatnonzero(begun | called)  # where a stretch begins that is of one span of each
    both = np.diff(np.append(shared, len(cases)))
    union = sizes[own[shared]] + named_sizes[other[shared]] - both
    hits = shared[(true[shared] == named[shared]) & (2 * both > union)]
    return {
        "true_spans": (true[begun], cases[begun]),
        "named_spans": (named[called], cases[called]),
        "span_hits": (true[hits], cases[hits]),
    }
