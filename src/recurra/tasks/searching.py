"""From settings to what a search may try."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, pick
from ..settings import Setting
from ..tuning.space import choices_of


def search_space(settings: Mapping[str, Setting], names: Sequence[str]) -> dict[str, Any]:
    """Return a list of choices, or a distribution of scipy, for each of ``names``; for all that have one if none."""
    for name in names:
        if pick(settings, name, "setting").tune is None and not choices_of(settings[name]):
            raise ConfigError(f"There is no range to search for the setting {name}: give your own values for it.")
    wanted = names or [name for name, one in settings.items() if one.tune is not None]
    return {name: _worth_trying(settings[name]) for name in wanted}


def _worth_trying(setting: Setting) -> Any:
    from scipy import stats

    if setting.tune is None:
        return choices_of(setting)
    low, high, log = setting.tune
    if int in setting.kinds:
        return _whole_numbers(int(low), int(high)) if log else stats.randint(int(low), int(high) + 1)
    return stats.loguniform(low, high) if log else stats.uniform(low, high - low)


def _whole_numbers(low: int, high: int) -> list[int]:
    """Return low, 2·low, 4·low, … and high."""
    found = [low]
    while 2 * found[-1] < high:
        found.append(2 * found[-1])
    return [*found, high]
