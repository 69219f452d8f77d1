"""``backtest``: models with the settings of a run, trained on what lay before past origins, and what they say there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..tasks.base import Fitted, Prepared
from ..tasks.session import Session
from .common import NOBODY, Listener


def backtest(fitted: Fitted, data: Any, asked: Any, listener: Listener = NOBODY) -> Iterator[pd.DataFrame]:
    """Yield what is said from each origin in ``data``, beside what happened.

    ``asked`` is an object of the kind's settings for this verb.
    """

    def train(prepared: Prepared, which: str) -> Fitted:
        listener.notes([which])
        session = Session(prepared)
        for epoch in session.epochs():
            listener.epoch(which, epoch, session.outlook)
        return session.fitted

    return fitted.kind.backtest(fitted, data, asked, train)


def read_anew(fitted: Fitted, data: str | None, listener: Listener = NOBODY) -> Any:
    """Read ``data``, or what a run was trained on, as if for a first training: nothing learned has a say in it."""
    record = fitted.record
    path, most = (record.source, record.max_rows) if data is None else (data, None)
    if not path:
        from .common import source_of

        source_of(fitted)  # says what to do
    return fitted.kind.read(Path(path), fitted.config, None, most, listener.notes)
