"""What kinds have in common that say something of a case as a whole: their network, or a reservoir in its place."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from ...nn.build import is_reservoir
from ...settings import Config
from ...training.loop import Epoch, Progress, Watch
from ...training.reservoirs import tries
from ..base import Fitted, Prepared
from .base import CaseKind
from .build import idle_settings
from .reservoir import Finder, ReservoirNet, train_reservoir
from .split import Split


class PooledKind(CaseKind):
    """From whole sequences to one answer of each."""

    by_step: ClassVar[dict[str, Any]] = {"segment": 1}  # the settings with which cases are read as they are
    of_segments: ClassVar[tuple[str, ...]] = ("segment", "filters", "convolutions", "rows")  # what reads no steps

    def read_by(self, config: Config) -> Any:
        """Return the settings of the task by which cases are read: a reservoir reads them step by step."""
        return replace(config.task, **self.by_step) if is_reservoir(config.model) else config.task

    def train(self, fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
        """Train by gradient, or find a reservoir and its read-out in closed form."""
        if isinstance(fitted.network, ReservoirNet):
            return train_reservoir(fitted, prepared, progress, watch)
        return super().train(fitted, prepared, progress, watch)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train on all cases that are not held out, or find the read-out of a reservoir from them."""
        if not isinstance(fitted.network, ReservoirNet):
            yield from super().train_on(fitted, prepared)
        elif self.more_epochs(fitted.config):
            yield Finder(fitted, prepared).again(self.every(fitted, prepared))

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        return min(super().more_epochs(config), 1) if is_reservoir(config.model) else super().more_epochs(config)

    def unused(self, config: Config) -> dict[str, str]:
        """Return the settings that nothing uses."""
        if not is_reservoir(config.model):
            return idle_settings(config)
        return dict.fromkeys(self.of_segments, "a reservoir reads the cases as they are, step by step")

    def fill(self, config: Config, plan: Split) -> Config:
        """Return the settings with what was left open; of a reservoir, an epoch is one that is tried."""
        if not is_reservoir(config.model):
            return super().fill(config, plan)
        most = tries(config.model, config.training.max_epochs)
        return replace(config, training=replace(config.training, max_epochs=most, epoch_steps=1))

    def cut_by(self, config: Config) -> str:
        """Return the settings of the task, and whether it is a reservoir, which reads step by step."""
        return f"{super().cut_by(config)} {is_reservoir(config.model)}"
