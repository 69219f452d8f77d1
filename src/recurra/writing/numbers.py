"""Numbers as people and files write them: in the terminal, in Markdown, and in the report.

- In a column (``column``) all have the same decimals, so many that the median has four digits that count; whole
  numbers have none. What would read as zero there is written ``1.2e-07``. From 1e9 on, and all of a column whose
  median is below 0.001, is ``1.234e-05``.
- Alone (``short``) a number has three digits that count: ``0.123``, ``12.3``, ``1,234``, ``1.23M``; what is nearer to
  zero than 0.001 is ``<0.001``. Counts below a million are whole.
- A share (``percent``) is ``12 %``, ``3.4 %``, ``0.05 %``.
- A time that is left (``duration``) is ``0:07``, ``12:05``, ``3:00:00``.
- What is not there is ``–``; infinity is ``∞``.

Thousands have a comma and a minus is a hyphen, so that a number can be copied out of the terminal.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import plural

NOTHING = "–"
MOST = 6  # decimals: a number that needs more is written with a power of ten
HUGE = 1e9  # from here on too


def column(values: Iterable[float | None]) -> list[str]:
    """Return the numbers of one column with the same decimals."""
    values = list(values)
    places = _places([value for value in values if value is not None])
    return [_in_column(value, places) for value in values]


def short(value: float | None) -> str:
    """Return a number that stands alone, in as little room as it needs."""
    if value is None or not math.isfinite(value):
        return _not_a_number(value)
    size = abs(value)
    if size >= HUGE:
        return f"{value:.2e}"
    if size >= 1e6:
        return f"{short(value / 1e6)}M"
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < size < 0.001:
        return "<0.001" if value > 0 else ">-0.001"
    decimals = 2 - math.floor(math.log10(size)) if size else 2
    return f"{value:,.{min(max(decimals, 0), 3)}f}"


def digits(value: float, count: int = 4) -> str:
    """Return a number with so many digits that count, and a large one whole: ``0.1235``, ``12.35``, ``120,958``."""
    text = f"{value:.{count}g}"
    return f"{value:,.0f}" if "e" in text and 1 <= abs(value) < HUGE else text


def percent(share: float | None) -> str:
    """Return a share as a person says it: ``12 %``, ``3.4 %``, ``0.05 %``."""
    if share is None or not math.isfinite(share):
        return _not_a_number(share)
    if 0 < share < 0.0001:
        return "under 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def signed(share: float) -> str:
    """Return a change as a person says it: ``+12.0 %``, ``-0.3 %``."""
    return f"{100 * share:+.1f} %"


def percents(shares: Iterable[float]) -> list[str]:
    """Return the shares of one whole with the same decimals, as few as show all: ``6 %`` and ``94 %``.

    The largest is what the others leave, so that they add up as they are written.
    """
    shares = list(shares)
    places = 0
    while places < 2 and any(share and not round(100 * share, places) for share in shares):
        places += 1
    written = [round(100 * share, places) for share in shares]
    largest = shares.index(max(shares))
    written[largest] = 100 - (sum(written) - written[largest])
    return [
        f"{value:.{places}f} %" if value or not share else percent(share)
        for value, share in zip(written, shares, strict=True)
    ]


def compared(ratio: float) -> str:
    """Return how large something is, ``ratio`` times another, in words that go before ``that of`` the other.

    ``as large as``, ``a third smaller than``, ``half as large as``, ``12 % larger than``, ``twice as large as``.
    """
    if not math.isfinite(ratio):
        return "larger than"
    if abs(ratio - 1) < 0.005:
        return "as large as"
    words = {0.25: "a quarter of", 1 / 3: "a third of", 0.5: "half as large as", 2 / 3: "a third smaller than",
             0.75: "a quarter smaller than", 2.0: "twice as large as"}  # fmt: skip
    near = min(words, key=lambda one: abs(one - ratio))
    if abs(near - ratio) < 0.015 * max(1.0, near):
        return words[near]
    if ratio < 1:
        return f"{100 * (1 - ratio):.0f} % smaller than"
    return f"{100 * (ratio - 1):.0f} % larger than" if ratio < 2 else f"{ratio:.2g} times"


def in_steps(count: float) -> str:
    """Return a number of steps in words."""
    return f"{count:,.3g} step{plural(count)}"


def duration(seconds: float) -> str:
    """Return a time that is left as a clock shows it, whole seconds rounded up: ``0:07``, ``12:05``, ``3:00:00``."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def decimals_of(values: Iterable[float]) -> int:
    """Return how many decimals the numbers of a column have; whole numbers have none."""
    return min(_places(values), MOST)


def _places(values: Iterable[float]) -> int:
    """Return how many decimals give the median of ``values`` four digits, however many that are."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    if all(size == round(size) for size in sizes):
        return 0
    return max(0, 3 - math.floor(math.log10(statistics.median(sizes))))


def _in_column(value: float | None, places: int) -> str:
    if value is None or not math.isfinite(value):
        return _not_a_number(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value and (places > MOST or abs(value) >= HUGE):
        return f"{value:.3e}"
    text = f"{value:,.{places if places <= MOST else 0}f}"
    return f"{value:.1e}" if value and not float(text.replace(",", "")) else text


def _not_a_number(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else "∞" if value > 0 else "-∞"


def finite(value: Any) -> Any:
    """Return plain data with None for every number that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, .."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
