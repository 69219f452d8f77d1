"""The last epochs of a forecaster: validation rows train, too, after they have decided, weighed and calibrated."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recurra import Forecaster
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.plan import make_plan
from recurra.tasks.session import Session

TINY: dict[str, Any] = {"horizon": 3, "lookback": 14, "hidden_size": 8, "max_epochs": 3, "epoch_steps": 4, "season": 7}


def table(rows: int = 200, series: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(2)
    days = pd.date_range("2024-01-01", periods=rows)
    values = [10 + np.sin(np.arange(rows) * 2 * np.pi / 7 + n) + 0.3 * draw.normal(size=rows) for n in range(series)]
    return pd.concat([pd.DataFrame({"unique_id": f"s{n}", "ds": days, "y": y}) for n, y in enumerate(values)])


def fitted(last: int | None, **settings: Any) -> Forecaster:
    return Forecaster(**TINY | {"last_epochs": last} | settings).fit(table(series=2))


def test_they_change_the_weights_and_nothing_that_validation_said() -> None:
    without, after = fitted(0), fitted(2)
    assert [epoch["valid_loss"] is None for epoch in after.history_] == [False] * 3 + [True] * 2
    assert (after.fitted_.record.epochs, after.fitted_.record.last_epochs) == (3, 2)
    assert without.fitted_.record.last_epochs == 0
    assert not torch.equal(*(one.network_.core.out.weight for one in (without, after)))
    assert torch.equal(without.network_.widen, after.network_.widen)
    assert without.fitted_.learned.mix == after.fitted_.learned.mix
    assert without.fitted_.record.best_loss == after.fitted_.record.best_loss


def test_strangers_get_the_mean_of_what_was_learned_last() -> None:
    identities = fitted(2).network_.core.identities.weight
    assert torch.equal(identities[-1], identities[:-1].mean(0))


def test_a_few_where_there_is_little_to_learn_from() -> None:
    assert fitted(None).fitted_.record.last_epochs == 5


def test_they_see_every_window_before_the_test_and_none_in_it() -> None:
    settings = KIND.prepare(KIND.read(table(), config()), config(), 20).config.task
    plan = make_plan(KIND.read(table(), config()), settings, 20)
    (train,), (valid,), (whole,), (test,) = (part.origins for part in (plan.train, plan.valid, plan.whole, plan.test))
    assert whole[0] == train[0] and whole[-1] == valid[-1] and np.array_equal(np.diff(whole), np.ones(len(whole) - 1))
    assert whole[-1] + 3 == 180 == test[0]
    assert len(whole) == len(train) + len(valid) + 3 - 1, "and those that lie across"


def config() -> Any:
    return Forecaster(**TINY)._config()


def test_stopping_in_them_undoes_them() -> None:
    whole, forecaster = fitted(0), Forecaster(**TINY, last_epochs=3)
    for epoch in forecaster.epochs(table(series=2)):
        if epoch.valid_loss is None:
            break
    forecaster.keep_best()
    assert forecaster.fitted_.record.last_epochs == 0
    pd.testing.assert_frame_equal(forecaster.predict(), whole.predict())


def test_the_newest_rows_are_learned_from() -> None:
    """What only the validation rows hold, a pattern in its second half, is forecast better after them."""
    draw = np.random.default_rng(0)
    rows = np.arange(400)
    values = np.where(rows < 300, np.sin(rows * 2 * np.pi / 7), np.sin(rows * 2 * np.pi / 5)) + 0.05 * draw.normal(
        size=400
    )
    data = pd.DataFrame({"ds": pd.date_range("2024", periods=400), "y": values})
    errors = []
    for last in (0, 10):
        settings = TINY | {"season": 1, "epoch_steps": 20, "validation_size": 80, "combine": False, "last_epochs": last}
        made = Forecaster(**settings | {"learning_rate": 5e-3})
        session = Session(KIND.prepare(KIND.read(data, made._config()), made._config(), 20))
        for _ in session.epochs():
            pass
        exam = KIND.exam(session.prepared.data, session.prepared.learned, session.prepared.plan.test)
        errors.append(np.abs(KIND.ask(session.fitted, exam.examples).point - exam.truth.values).mean())
    assert errors[1] == pytest.approx(0, abs=0.8 * errors[0])
