"""Numbers as people and files write them."""

import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """Return plain data with None for every number that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
