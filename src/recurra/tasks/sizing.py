"""The one dial for who does not tune: how large a network is, and how long it may learn, beside what is usual."""

from dataclasses import replace

from ..nn.build import is_reservoir
from ..settings import Config

# Factors of what a kind finds for so many data. Half the units and half the epochs take about half the time.
FACTORS = {"s": {"hidden_size": 0.5, "max_epochs": 0.5}, "l": {"hidden_size": 2.0, "max_epochs": 1.5}}
SIZED = ("hidden_size", "max_epochs")
UNITS = 8  # of which units are a multiple: as many heads fit


def resized(found: Config, given: Config) -> Config:
    """Return settings as ``found`` from the data, as large as ``size`` says; what was ``given`` stays.

    A setting counts as given if it is not as it would be anyway.
    """
    factors = FACTORS.get(given.model.size, {})
    if not factors:
        return found
    first, before = given.parts.defaults(), given.flat()
    left = [name for name in SIZED if before[name] is None or before[name] == first[name]]
    model, training = found.model, found.training
    if "hidden_size" in left:
        units = UNITS * max(1, round(factors["hidden_size"] * model.hidden_size / UNITS))
        model = replace(model, hidden_size=units)
    if "max_epochs" in left and not is_reservoir(model):  # where an epoch is one reservoir of those there are
        training = replace(training, max_epochs=max(1, round(factors["max_epochs"] * training.max_epochs)))
    return replace(found, model=model, training=training)


def size_notes(found: Config, usual: Config) -> list[str]:
    """Return a note on what ``size`` chose, beside what is ``usual``; nothing if that is it."""
    if found.model.size == "m":
        return []
    units, epochs = found.model.hidden_size, found.training.max_epochs
    return [
        f"size={found.model.size}: hidden_size={units} and max_epochs={epochs}, where size=m has "
        f"{usual.model.hidden_size} and {usual.training.max_epochs}"
    ]
