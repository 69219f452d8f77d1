"""Covariates: read beside the series, coded as in training, in step with the windows, and worth their reading.

Shapes: T steps, L look-back, H horizon.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recurra import Forecaster
from recurra.data.series import Panel, infer_schema, to_panel
from recurra.data.series.covariates import Covariates
from recurra.errors import ConfigError, DataError
from recurra.tasks.base import Prepared
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.baselines import Linear
from recurra.tasks.forecast.calendar import Silent, calendar_at, silent_in
from recurra.tasks.forecast.effects import Effects
from recurra.tasks.forecast.evidence import counted
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.network import ForecastNet
from recurra.tasks.forecast.past import Past
from recurra.tasks.forecast.report import forecast_sections, proof_sections
from recurra.tasks.forecast.ridge import Form, read, scale_of
from recurra.tasks.forecast.variables import Variable
from recurra.tasks.forecast.windows import Windows
from recurra.tasks.session import Session
from recurra.verbs.common import judge

HORIZON, STEPS = 7, 300
TINY: dict[str, Any] = {"horizon": HORIZON, "target": "y", "hidden_size": 8, "max_epochs": 2, "epoch_steps": 3}


def shop(stores: int = 1, ahead: int = HORIZON, seed: int = 0) -> pd.DataFrame:
    """Return sales that follow from promotions and prices, which are known ahead, and from yesterday's weather."""
    random, parts = np.random.default_rng(seed), []
    for number in range(stores):
        promo = np.where(random.random(STEPS) < 0.3, "yes", "no")
        price, weather = random.normal(10, 2, STEPS), random.normal(size=STEPS)
        sales = 50 + 20 * (promo == "yes") - 4 * (price - 10) + 5 * np.roll(weather, 1) + random.normal(size=STEPS)
        parts.append(
            pd.DataFrame(
                {
                    "ds": pd.date_range("2024-01-01", periods=STEPS),
                    "store": f"s{number}",
                    "y": sales,
                    "promo": promo,
                    "price": price,
                    "weather": weather,
                    "size": [3.0, 9.0, 5.0][number % 3],
                }
            )
        )
        if ahead:
            parts[-1].loc[STEPS - ahead :, ["y", "weather"]] = np.nan
    return pd.concat(parts, ignore_index=True)


def panel_of(frame: pd.DataFrame, **sorts: tuple[str, ...]) -> Panel:
    schema, _ = infer_schema(frame, target="y", id="store", covariates=Covariates(**sorts))
    return to_panel(frame, schema)


# ------------------------------------------------------------------------------------------------ reading


def test_columns_stand_beside_their_series() -> None:
    frame = shop(2).sample(frac=1, random_state=0)
    panel = panel_of(frame, known=("promo", "price"), past=("weather",), static=("size",))
    frame = frame.sort_values(["store", "ds"])
    for n, name in enumerate(panel.names):
        own, beside = frame[frame["store"] == name], panel.beside[n]
        assert len(panel.values[n]) == STEPS - HORIZON
        words = np.array(panel.categories["promo"])[beside.known[:, 0].astype(int)]
        assert words.tolist() == own["promo"].tolist()
        np.testing.assert_array_equal(beside.known[:, 1], own["price"])
        np.testing.assert_array_equal(beside.past[:, 0], own["weather"][:-HORIZON])
        assert beside.static.tolist() == [own["size"].iloc[0]]
    assert f"the last {HORIZON} time step(s) of 2 of the 2 series have no value" in " ".join(panel.notes)


def test_steps_without_a_row_are_missing_beside_too() -> None:
    frame = shop().drop(index=[20, 21])
    panel = panel_of(frame, known=("promo", "price"), past=("weather",))
    (beside,) = panel.beside
    assert np.isnan(beside.known[[20, 21]]).all() and np.isnan(beside.past[[20, 21]]).all()
    assert np.isfinite(np.delete(beside.known, [20, 21], 0)).all()


def test_of_two_rows_of_a_step_numbers_are_averaged_and_the_last_word_stays() -> None:
    frame = shop()
    again = frame.iloc[[30]].assign(price=frame["price"][30] + 2, promo="sale")
    panel = panel_of(pd.concat([frame, again]), known=("promo", "price"))
    (beside,) = panel.beside
    assert beside.known[30, 1] == pytest.approx(frame["price"][30] + 1)
    assert panel.categories["promo"][int(beside.known[30, 0])] == "sale"


def test_columns_beside_are_never_forecast() -> None:
    schema, notes = infer_schema(shop().drop(columns="store"), covariates=Covariates(("promo", "price"), ("weather",)))
    assert schema.targets == ("y",)
    assert [note for note in notes if "not used" in note] == ["not used: 'size' (never changes)"]


@pytest.mark.parametrize(
    ("sorts", "said"),
    [
        ({"known": ("prise",)}, r"no column 'prise' for the setting known=\. Did you mean 'price'"),
        ({"known": ("y",)}, r"'y' cannot be both target and known"),
        ({"past": ("ds",)}, r"Column 'ds' holds dates"),
        ({"known": ("price",), "past": ("price",)}, r"'price' is named twice"),
        ({"static": ("price",)}, r"'price' is said to be static, but changes within the series 's0'"),
    ],
)
def test_what_cannot_be_a_covariate(sorts: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        panel_of(shop(2), **sorts)


# ------------------------------------------------------------------------------------------------- coding


def test_numbers_are_standardised_by_the_training_rows() -> None:
    found = Variable.of("x", np.array([1.0, 3.0, np.nan]), None)
    np.testing.assert_allclose(found.encoded(np.array([1.0, 5.0, np.nan])), [[-1, 0], [3, 0], [0, 1]])


def test_categories_keep_their_places_whatever_a_table_calls_first() -> None:
    found = Variable.of("x", np.array([0.0, 1.0, 1.0]), ("a", "b"))
    coded = found.coded(np.array([0.0, 1.0, 2.0, np.nan]), ("b", "new", "a"))
    np.testing.assert_array_equal(coded, [1, -1, 0, np.nan])
    np.testing.assert_array_equal(found.encoded(coded), [[0, 1], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(found.coded(coded, found.categories), coded)


def test_of_many_categories_the_commonest_are_told_apart() -> None:
    names = tuple(f"n{n}" for n in range(80))
    values = np.concatenate([np.arange(80.0), np.arange(60, 80.0)])
    found = Variable.of("x", values, names)
    assert found.width == 50 and set(names[60:]) <= set(found.categories or ())


# ------------------------------------------------------------------------------------------------ windows


def test_windows_hold_what_stands_beside_them() -> None:
    forecaster = Forecaster(**TINY, known=("promo", "price"), past="weather", static="size", lookback=14, segment=7)
    frame = shop(3)
    config = forecaster._config()
    prepared = KIND.prepare(KIND.read(frame, config), config, 30)
    learned, windows = prepared.learned, prepared.train
    batch = windows.take(torch.tensor([0, 5, len(windows) - 1]))
    known = learned.variables.known
    for row, number in enumerate([0, 5, len(windows) - 1]):
        n = int(windows.series[number])
        own = frame[frame["store"] == f"s{n}"].reset_index(drop=True)
        origin = int(windows.starts[number]) + 14 - windows.rows.offsets[n]
        price = (own["price"][origin - 14 : origin + HORIZON] - known[1].mean) / known[1].std
        np.testing.assert_allclose(batch["known"][row, :, -1], price, atol=1e-5)
        yes = known[0].categories.index("yes")
        assert (batch["known"][row, :, yes].numpy() == (own["promo"][origin - 14 : origin + HORIZON] == "yes")).all()
        weather = (own["weather"][origin - 14 : origin] - learned.variables.past[0].mean) / learned.variables.past[
            0
        ].std
        np.testing.assert_allclose(batch["past"][row, :, 0], weather, atol=1e-5)
        size = (own["size"][0] - learned.variables.static[0].mean) / learned.variables.static[0].std
        assert float(batch["static"][row, 0]) == pytest.approx(size, abs=1e-5)


def test_only_training_rows_say_what_is_usual() -> None:
    """A price that rises in the held-out rows must not be known to the scale."""
    frame = shop()
    config = Forecaster(**TINY, known=("price",))._config()
    before = KIND.prepare(KIND.read(frame, config), config, 60).learned
    frame.loc[STEPS - 60 - HORIZON :, "price"] = 1e6
    after = KIND.prepare(KIND.read(frame, config), config, 60).learned
    assert before.variables == after.variables


def test_the_past_of_a_covariate_is_all_that_is_read_of_it() -> None:
    """What happens to the weather after the origin changes no forecast."""
    frame = shop(ahead=0)
    forecaster = Forecaster(**TINY, past="weather", combine=False).fit(frame[:250])
    config = forecaster.fitted_.config
    answers = []
    for value in (0.0, 1e3):
        changed = frame.copy()
        changed.loc[250:, "weather"] = value
        panel = KIND.read(changed, config, forecaster.fitted_.learned)
        exam = KIND.exam(panel, forecaster.fitted_.learned, None)
        first = exam.truth.origins <= 250
        answers.append(KIND.ask(forecaster.fitted_, exam.examples).point[first])  # type: ignore[arg-type]
    np.testing.assert_array_equal(*answers)


# ------------------------------------------------------------------------------------------------ forecasts


def test_what_is_known_ahead_makes_forecasts_better() -> None:
    frame, truth = shop(), shop(ahead=0)["y"][-HORIZON:].to_numpy()
    errors = {}
    for told in ({}, {"known": ("promo", "price")}):
        forecaster = Forecaster(horizon=HORIZON, target="y", combine=False, season=1, **told).fit(frame)
        errors[bool(told)] = np.abs(forecaster.predict()["yhat"].to_numpy() - truth).mean()
    assert errors[True] < 0.6 * errors[False]


def test_a_saved_model_answers_as_before(tmp_path: Any) -> None:
    frame = shop(2)
    forecaster = Forecaster(**TINY, known=("promo", "price"), past="weather", static="size").fit(frame)
    forecaster.save(tmp_path / "run")
    again = Forecaster.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.predict(), forecaster.predict())
    pd.testing.assert_frame_equal(again.predict(df=frame), forecaster.predict())


def test_what_is_not_known_ahead_is_named() -> None:
    frame = shop(2)
    forecaster = Forecaster(**TINY, known=("promo", "price")).fit(frame)
    frame.loc[(frame["store"] == "s1") & (frame["ds"] == frame["ds"].max()), "promo"] = None
    with pytest.raises(DataError, match=r"'promo' is not known for 2024-10-26 of the series 's1'"):
        forecaster.predict(df=frame)
    assert len(forecaster.predict(HORIZON - 1, df=frame)) == 2 * (HORIZON - 1)
    with pytest.raises(DataError, match=r"'promo' is not known for 2024-10-20"):
        Forecaster(**TINY, known="promo").fit(shop(ahead=0)[: STEPS - HORIZON]).predict()


def test_rows_that_follow_the_training_are_scored_with_what_stands_beside_them() -> None:
    frame = shop(2, ahead=0)
    cut = frame["ds"].unique()[250]
    forecaster = Forecaster(**TINY, known=("promo", "price"), past="weather", static="size", combine=False)
    forecaster.fit(frame[frame["ds"] < cut])
    score = forecaster.score(frame[frame["ds"] >= cut])
    panel = KIND.read(frame, forecaster.fitted_.config, forecaster.fitted_.learned)
    exam = KIND.exam(panel, forecaster.fitted_.learned, None)
    chosen = exam.truth.origins >= 250
    error = np.abs(exam.truth.values - KIND.ask(forecaster.fitted_, exam.examples).point)  # type: ignore[arg-type]
    assert score == pytest.approx(-error[chosen].mean(), rel=0.15)


def test_a_reservoir_says_that_it_reads_none() -> None:
    with pytest.raises(ConfigError, match="known has no effect"):
        Forecaster(horizon=HORIZON, target="y", known="price", cell="reservoir").fit(shop())


def test_the_decoder_that_goes_step_by_step_reads_what_is_known_ahead() -> None:
    """Promotions and prices of a step move the sales of that step, as they do in the data."""
    forecaster = Forecaster(
        horizon=HORIZON, target="y", known=("promo", "price"), decoder="vanilla", combine=False, season=1, lookback=8,
        hidden_size=16, max_epochs=20, epoch_steps=20, learning_rate=1e-2, dropout=0.0,
    ).fit(shop(ahead=HORIZON))  # fmt: skip
    rows = shop(ahead=HORIZON)[-HORIZON:].assign(promo="no", price=10.0)
    dear = rows.assign(price=[10.0] * 3 + [14.0] + [10.0] * 3)
    change = forecaster.predict(future=dear)["yhat"] - forecaster.predict(future=rows)["yhat"]
    assert change[:3].abs().max() == 0 and change[3] == pytest.approx(-16.0, abs=5.0)


def test_the_future_may_come_in_a_table_of_its_own(tmp_path: Any) -> None:
    """From the remembered end or from the end of a table, for all series, as if the rows had been in it."""
    whole = shop(2)
    known, ahead = whole[whole["y"].notna()], whole[whole["y"].isna()][["ds", "store", "promo", "price"]]
    forecaster = Forecaster(**TINY, known=("promo", "price"), past="weather", static="size").fit(whole)
    expected = forecaster.predict(df=whole)
    pd.testing.assert_frame_equal(forecaster.predict(df=known, future=ahead.sample(frac=1, random_state=0)), expected)
    without = Forecaster(**TINY, known=("promo", "price"), past="weather", static="size").fit(known)
    ahead.to_csv(tmp_path / "ahead.csv", index=False)
    pd.testing.assert_frame_equal(without.predict(future=tmp_path / "ahead.csv"), expected)
    pd.testing.assert_frame_equal(
        without.predict(3, future=ahead.assign(more=1)), expected[expected.index % 7 < 3].reset_index(drop=True)
    )


def test_a_future_that_does_not_fit_is_refused() -> None:
    whole = shop(2)
    known, ahead = whole[whole["y"].notna()], whole[whole["y"].isna()][["ds", "store", "promo", "price"]]
    forecaster = Forecaster(**TINY, known=("promo", "price")).fit(known)
    with pytest.raises(DataError, match=r"no column 'price' for the setting known="):
        forecaster.predict(future=ahead.drop(columns="price"))
    with pytest.raises(DataError, match=r"the first of which is 2024-10-20"):
        forecaster.predict(future=ahead.assign(ds=ahead["ds"] + pd.Timedelta(days=30)))
    with pytest.raises(DataError, match=r"The series 's9' in future= is not one that is forecast"):
        forecaster.predict(future=ahead.assign(store=ahead["store"].replace("s1", "s9")))
    said = (
        r"'promo' is not known for 2024-10-22 of the series 's0'. Nor does future= say it: a forecast of .* "
        "from 2024-10-20 to 2024-10-2"
    )
    with pytest.raises(DataError, match=said):
        forecaster.predict(future=ahead.groupby("store").head(2))
    plain = Forecaster(**TINY).fit(known[["ds", "store", "y"]])
    with pytest.raises(ConfigError, match="train it with known="):
        plain.predict(future=ahead)


def test_columns_read_together_share_what_stands_beside_them() -> None:
    frame = shop().drop(columns="store").assign(z=lambda table: 2 * table["y"] + table["price"])
    told = TINY | {"target": ("y", "z"), "channels": "joint"}
    forecaster = Forecaster(**told, known=("promo", "price"), past="weather").fit(frame)
    learned = forecaster.fitted_.learned
    assert learned.around is not None and len(learned.around.known) == 1
    answer = forecaster.predict()
    pd.testing.assert_frame_equal(forecaster.predict(df=frame), answer)
    changed = frame.assign(price=frame["price"].where(frame["y"].notna(), 0.0))
    moved = np.abs(forecaster.predict(df=changed)["yhat"] - answer["yhat"])
    assert len(answer) == 2 * HORIZON and (moved > 0).sum() > HORIZON
    with pytest.raises(ConfigError, match="channels='joint' reads the series of a long table together"):
        Forecaster(**(TINY | {"channels": "joint"}), known="price").fit(shop(2))


@pytest.mark.parametrize("preset", ["segment", "tft", "seq2seq"])
def test_what_counts_is_told_from_what_does_not(preset: str) -> None:
    """The report says how much is lost without each column: much without the price, nothing without the noise."""
    frame = shop(2, ahead=0).assign(noise=lambda table: np.random.default_rng(5).normal(size=len(table)))
    told: dict[str, Any] = {"horizon": HORIZON, "target": "y", "season": 1, "lookback": 14, "combine": False}
    told |= {"known": ("promo", "price", "noise"), "past": "weather", "static": "size", "preset": preset}
    told |= {"segment": 7} if preset == "segment" else {"hidden_size": 16, "max_epochs": 12}
    config = Forecaster(**told)._config()
    session = Session(KIND.prepare(KIND.read(frame, config), config, 70))
    for _ in session.epochs():
        pass
    fitted, prepared = session.fitted, session.prepared
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    judged = judge(fitted, exam)
    found = counted(fitted, judged)
    assert found is not None and found.names == ("promo", "price", "noise", "weather", "size")
    growth = dict(zip(found.names, found.growth.tolist(), strict=True))
    assert growth["price"] > 0.5 and growth["promo"] > 0.5 and abs(growth["noise"]) < 0.1
    if preset == "seq2seq":
        assert found.selected is None
    else:
        assert found.selected is not None
        read, written = (weights.double().numpy() for weights in found.selected[:2])
        assert 0 < read[:4].sum() < 1 and np.isnan(written[3])
        assert np.nansum(written) == pytest.approx(1.0, abs=1e-5)
    (section,) = (one for one in proof_sections(fitted, prepared.data, judged) if one.table is not None)
    assert section.table.index.tolist() == list(found.names)  # type: ignore[union-attr]
    assert "'price' matters most" in section.text or "'promo' matters most" in section.text
    (none,) = forecast_sections(fitted, prepared.data, judged)
    assert none.text.startswith("There is none yet. 'promo' is not known for") and "known=" not in none.text


def test_weights_of_a_fusion_transformer_are_those_of_its_selections() -> None:
    """Each weight stands beside its column, whatever the order that the network reads them in."""
    frame = shop(2, ahead=0).assign(noise=1.0)
    told = {"horizon": HORIZON, "target": "y", "season": 1, "lookback": 14, "preset": "tft", "hidden_size": 8}
    told |= {"known": ("promo", "price"), "past": ("weather", "noise"), "static": "size", "max_epochs": 1}
    config = Forecaster(**told)._config()
    prepared = KIND.prepare(KIND.read(frame, config), config, 70)
    session = Session(prepared)
    core: Any = session.fitted.network.core  # type: ignore[union-attr]
    seen: dict[str, torch.Tensor] = {}

    def watch(name: str) -> Any:
        return lambda module, args, answer: seen.update({name: answer[1]})

    parts = {"past": core.steps.past, "future": core.steps.future, "static": core.steps.static.selection}
    for name, module in parts.items():
        module.register_forward_hook(watch(name))
    assert isinstance(prepared.valid, Windows) and isinstance(session.fitted.network, ForecastNet)
    batch = session.fitted.network.bared(prepared.valid.take(torch.arange(8))).batch
    core.eval()
    core(batch, False)
    values, weather, noise, promo, price = seen["past"].mean((0, 1)).tolist()
    assert values + weather + noise + promo + price == pytest.approx(1.0, abs=1e-5)
    with torch.no_grad():
        selected = core.selected(batch)
    assert selected.apart
    expected = [promo, price, weather, noise, seen["static"].mean(0)[0].item()]
    torch.testing.assert_close(selected.read, torch.tensor(expected))
    ahead = [*seen["future"].mean((0, 1)).tolist(), *3 * [float("nan")]]
    torch.testing.assert_close(selected.written, torch.tensor(ahead), equal_nan=True)


def prepared_shop(known: tuple[str, ...], stores: int = 2) -> Prepared:
    told = {"horizon": HORIZON, "target": "y", "season": 1, "lookback": 14, "segment": 7, "known": known}
    config = Forecaster(**told)._config()
    return KIND.prepare(KIND.read(shop(stores, ahead=0), config), config, 70)


def test_the_linear_model_knows_what_is_known_ahead() -> None:
    """It finds the slope of the price and the step of a promotion, and answers as if they had been told."""
    prepared = prepared_shop(("promo", "price"))
    linear = Linear(1)
    linear.fit(prepared)
    assert linear.effects is not None
    price, std = prepared.learned.variables.known[1], prepared.learned.scaling.std.mean()
    assert linear.effects.weights[-1] / price.std * std == pytest.approx(-4.0, rel=0.1)
    yes, no = (prepared.learned.variables.known[0].categories.index(name) for name in ("yes", "no"))
    assert (linear.effects.weights[yes] - linear.effects.weights[no]) * std == pytest.approx(20.0, rel=0.1)
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    plain = Linear(1)
    plain.fit(prepared_shop(()))
    errors = [np.nanmean(np.abs(exam.truth.values - one.answer(exam.examples).point)) for one in (linear, plain)]
    assert errors[0] < 0.6 * errors[1]
    again = Linear(1)
    again.from_arrays(linear.to_arrays())
    np.testing.assert_array_equal(again.answer(exam.examples).point, linear.answer(exam.examples).point)
    assert "beyond what is known ahead" in linear.described()


def test_the_linear_model_reads_what_stood_beside_the_last_steps() -> None:
    """Yesterday's weather is a fifth of the sales; an ordinary regression by scikit-learn is the oracle."""
    from sklearn.linear_model import LinearRegression

    frame = shop(ahead=0)
    config = Forecaster(horizon=1, target="y", season=1, lookback=14, segment=7, past="weather")._config()
    prepared = KIND.prepare(KIND.read(frame, config), config, 70)
    linear = Linear(1)
    linear.fit(prepared)
    assert "with the other columns" in linear.described()
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    y, weather = frame["y"].to_numpy(), frame["weather"].to_numpy()
    rows = np.array([[*y[t - 14 : t], *weather[t - 3 : t]] for t in range(14, STEPS)])
    oracle = LinearRegression().fit(rows[: 230 - 14], y[14:230]).predict(rows[230 - 14 :])
    errors = [np.abs(y[230:] - said).mean() for said in (oracle, linear.answer(exam.examples).point[:, 0, 0])]
    assert errors[1] == pytest.approx(errors[0], rel=0.05)
    again = Linear(1)
    again.from_arrays(linear.to_arrays())
    np.testing.assert_array_equal(again.answer(exam.examples).point, linear.answer(exam.examples).point)


def test_one_penalty_is_for_values_and_for_what_stands_beside_them() -> None:
    """Whatever the size of the values: a regression on the same numbers a thousand times as large says the same."""
    past = Past(np.random.default_rng(0).normal(size=(50, 6)), *np.ones((2, 50, 1)), np.ones((50, 2)) * [3.0, 4.0])
    form = Form("nothing", beside=True)
    scale = scale_of(form, past, 1, 1)
    assert (scale[:6] == 1).all() and scale[6] == scale[7]
    features = read(form, past, 1, 1)[1] * scale
    assert np.square(features[:, 6:]).mean() == pytest.approx(np.square(features[:, :6]).mean())
    large = scale_of(form, past._replace(values=1000 * past.values), 1, 1)
    assert large[6] == pytest.approx(1000 * scale[6])
    assert (scale_of(form, past._replace(values=0 * past.values), 1, 1) == 1).all()


def test_what_explains_nothing_is_left_in_by_the_linear_model() -> None:
    frame = shop(2, ahead=0).assign(noise=lambda table: np.random.default_rng(5).normal(size=len(table)).cumsum())
    config = Forecaster(horizon=HORIZON, target="y", season=1, lookback=14, segment=7, known="noise")._config()
    linear = Linear(1)
    linear.fit(KIND.prepare(KIND.read(frame, config), config, 70))
    assert linear.effects is None or np.abs(linear.effects.weights).max() < 0.05


def test_effects_are_those_of_a_regression_by_hand() -> None:
    """numpy.linalg.lstsq on the same differences, gaps left out, finds the same weights."""
    frame = shop(ahead=0)
    frame.loc[40:45, "y"] = np.nan
    config = Forecaster(
        horizon=HORIZON, target="y", season=1, lookback=14, segment=7, known=("promo", "price")
    )._config()
    prepared = KIND.prepare(KIND.read(frame, config), config, 70)
    windows = prepared.train
    rows = windows.rows
    x, y = [], []
    for start in windows.starts.tolist():
        values, known = rows.values[start : start + 21, 0].numpy(), rows.beside.known[start : start + 21].numpy()
        seen = np.ones(21, bool) if rows.observed is None else rows.observed[start : start + 21, 0].numpy()
        level = values[:14][seen[:14]].mean()
        for step in range(14, 21):
            if seen[step]:
                x.append([*(known[step] - known[:14].mean(0)), 1.0])
                y.append(values[step] - level)
    expected = np.linalg.lstsq(np.array(x, float), np.array(y, float), rcond=None)[0]
    found = Effects.of(windows).weights
    price, yes, no = -1, *(prepared.learned.variables.known[0].categories.index(name) for name in ("yes", "no"))
    assert found[price] == pytest.approx(expected[2], rel=0.02)
    assert found[yes] - found[no] == pytest.approx(expected[yes] - expected[no], rel=0.02)


# ------------------------------------------------------------------------------------------------ the calendar


def hourly(days: int = 60) -> pd.DataFrame:
    """Return a series that is busy from 9 to 5 on weekdays that are no German holiday."""
    times = pd.date_range("2024-04-01", periods=24 * days, freq="h")
    busy = (times.hour >= 9) & (times.hour < 17) & (times.day_of_week < 5)
    busy &= ~times.normalize().isin(pd.to_datetime(["2024-04-01", "2024-05-01", "2024-05-09", "2024-05-20"]))
    return pd.DataFrame({"ds": times, "y": 10.0 + 20 * busy + np.random.default_rng(0).normal(size=len(times))})


def test_the_calendar_is_known_beside_and_ahead() -> None:
    forecaster = Forecaster(horizon=24, calendar=True, holidays="DE", hidden_size=8, max_epochs=1, epoch_steps=2)
    config = forecaster._config()
    panel = KIND.read(hourly(), config)
    (beside,), times = panel.beside, panel.times(0, 0, len(panel.values[0]) + 24)
    assert panel.columns("known") == (
        "calendar: hour", "calendar: weekday", "calendar: month", "calendar: holiday"
    )  # fmt: skip
    np.testing.assert_array_equal(beside.known[:, 0], times.hour)
    assert [panel.categories["calendar: weekday"][int(day)] for day in beside.known[::24, 1]] == [
        time.strftime("%a") for time in times[::24]
    ]
    assert {panel.categories["calendar: month"][int(n)] for n in beside.known[:, 2]} == {"4", "5"}
    off = {str(time.date()) for time, mark in zip(times, beside.known[:, 3], strict=True) if mark}
    assert off == {"2024-04-01", "2024-05-01", "2024-05-09", "2024-05-20"}
    assert len(forecaster.fit(hourly()).predict()) == 24


def test_daily_steps_have_no_hour_and_monthly_ones_no_weekday() -> None:
    config = Forecaster(horizon=2, calendar=True)._config()
    for frequency, expected in (
        ("D", ("weekday", "month")),
        ("MS", ("month",)),
        ("W", ("month",)),
    ):
        frame = pd.DataFrame({"ds": pd.date_range("2020-01-05", periods=60, freq=frequency), "y": np.arange(60) % 7})
        panel = KIND.read(frame, config)
        assert panel.columns("known") == tuple(f"calendar: {name}" for name in expected)


def test_a_short_day_has_no_hour_where_the_training_had_none() -> None:
    """The day on which clocks go forward has 23 hours, so that its step alone would ask for the hour."""
    times = pd.date_range("2024-03-31", periods=3, tz="Europe/Berlin")
    assert times[1] - times[0] < pd.Timedelta(days=1)
    known = Variable("price"), Variable("calendar: weekday", categories=("Mon", "Sun", "Tue"))
    assert calendar_at(times, known, None).tolist() == [[1.0], [0.0], [2.0]]
    assert calendar_at(times, known[:1], None).shape == (3, 0)


def test_the_calendar_goes_with_columns_of_the_table(tmp_path: Any) -> None:
    whole = shop(2)
    known, ahead = whole[whole["y"].notna()], whole[whole["y"].isna()][["ds", "store", "price"]]
    forecaster = Forecaster(**TINY, known="price", past="weather", calendar=True).fit(known)
    forecaster.save(tmp_path / "run")
    expected = Forecaster(**TINY, known="price", past="weather", calendar=True).fit(known).predict(future=ahead)
    again = Forecaster.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.predict(future=ahead), expected)
    pd.testing.assert_frame_equal(again.predict(df=whole), expected)


@pytest.mark.parametrize(
    ("frequency", "count", "season", "cycle", "said", "brief"),
    [
        ("h", 2000, 168, True, ("hour", "weekday"), ("month",)),
        ("h", 2000, 24, True, ("hour",), ("month",)),
        ("h", 2000, 24, False, (), ("month",)),
        ("B", 700, 5, True, ("weekday",), ()),
        ("D", 729, 7, True, ("weekday",), ("month",)),
        ("D", 731, 7, True, ("weekday",), ()),
        ("D", 1500, 365, True, ("month",), ()),
        ("MS", 20, 12, True, ("month",), ()),
        ("MS", 20, 1, False, (), ("month",)),
        ("MS", 25, 6, True, (), ()),
        ("W", 200, 52, True, ("month",), ()),
        ("W", 200, 4, True, (), ()),
    ],
)
def test_what_the_calendar_says_that_nobody_can_learn_or_needs(
    frequency: str, count: int, season: int, cycle: bool, said: tuple[str, ...], brief: tuple[str, ...]
) -> None:
    values = np.random.default_rng(0).normal(size=count + 8)
    frame = pd.DataFrame({"ds": pd.date_range("2021-02-01", periods=count + 8, freq=frequency), "y": values})
    settings: dict[str, Any] = {"season": season, "lookback": 8, "segment": 2, "validation_size": 8, "cycle": cycle}
    config = Forecaster(horizon=2, calendar=True, **settings)._config()
    panel = KIND.read(frame, config)
    found = silent_in(panel, replace(KIND.plan(panel, config, 0).layout, cycle=cycle), (count,))
    assert found == Silent(tuple(f"calendar: {one}" for one in said), tuple(f"calendar: {one}" for one in brief))


def test_a_calendar_that_tells_nothing_new_changes_nothing(tmp_path: Any) -> None:
    """Of one year the month cannot be told from the trend, and the learned cycle has the weekday already."""
    days = pd.date_range("2023-01-01", periods=340)
    noise = np.random.default_rng(0).normal(size=len(days))
    frame = pd.DataFrame({"ds": days, "y": 50 + np.arange(len(days)) / 4 + 5 * (days.day_of_week < 5) + noise})
    told = TINY | {"season": 7, "cycle": True}
    forecaster, plain = Forecaster(**told, calendar=True).fit(frame[:300]), Forecaster(**told).fit(frame[:300])
    assert forecaster.fitted_.learned.variables.known == ()
    pd.testing.assert_frame_equal(forecaster.predict(), plain.predict())
    assert any("'calendar: month', as 2 years of training rows" in note for note in forecaster.notes_)
    assert any("'calendar: weekday', as the learned cycle of 7 steps" in note for note in forecaster.notes_)
    forecaster.save(tmp_path / "run")
    again = Forecaster.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.predict(df=frame), forecaster.predict(df=frame))
    more = again.fit_more(frame[300:])
    assert not any("not read" in note for note in more.notes_)
    assert np.isfinite(more.predict()["yhat"]).all()


def test_a_run_goes_on_with_the_columns_it_has(tmp_path: Any) -> None:
    times = pd.date_range("2021-01-01", periods=1100)
    frame = pd.DataFrame({"ds": times, "y": 5.0 * (times.month == 12) + np.random.default_rng(0).normal(size=1100)})
    frame["price"] = np.random.default_rng(1).normal(size=1100)
    told = TINY | {"season": 7, "cycle": True, "known": "price", "calendar": True}
    forecaster = Forecaster(**told).fit(frame[:900])
    names = [one.name for one in forecaster.fitted_.learned.variables.known]
    assert names == ["price", "calendar: month"]
    ahead = frame[["ds", "price"]].iloc[1000:]
    more = forecaster.fit_more(frame[900:1000])
    assert [one.name for one in more.fitted_.learned.variables.known] == names
    known = more.fitted_.learned.around
    assert known is not None
    month = more.fitted_.learned.variables.known[1].categories
    assert month is not None and {month[int(n)] for n in known.known[0, :14, 1]} == {"9"}  # the last 14 are of autumn
    assert np.isfinite(more.predict(future=ahead)["yhat"]).all()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"holidays": "XX"}, r"Holidays are not known for 'XX'.*two letters"),
        ({"holidays": "DE-BX"}, r"There is no part 'BX' of 'DE'"),
    ],
)
def test_holidays_of_nowhere(told: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Forecaster(**TINY, **told).fit(shop())


def test_steps_that_are_no_dates_have_no_calendar() -> None:
    with pytest.raises(ConfigError, match="need dates"):
        Forecaster(horizon=2, calendar=True).fit(pd.DataFrame({"y": np.arange(60.0) % 7}))


def test_a_table_without_a_column_that_is_read_is_refused() -> None:
    frame = shop(ahead=0)
    forecaster = Forecaster(**TINY, known="price", past="weather").fit(frame)
    for ask in (forecaster.predict, forecaster.score, forecaster.fit_more):
        with pytest.raises(DataError, match="There is no column 'price' for the setting known="):
            ask(df=frame.drop(columns="price")) if ask == forecaster.predict else ask(frame.drop(columns="price"))


def test_what_reads_values_alone_needs_nothing_of_the_future() -> None:
    """A naive row of the table answers though nobody has said what is known ahead; the network does not."""
    whole = shop(2)
    forecaster = Forecaster(**TINY, known=("promo", "price")).fit(whole[whole["y"].notna()])
    fitted = forecaster.fitted_
    for model in ("repeat_last", "seasonal_naive"):
        assert np.isfinite(forecast(fitted, model=model).guess.point).all()
    assert forecast(fitted, steps=2 * HORIZON, model="seasonal_naive").guess.point.shape[1] == 2 * HORIZON
    for model in (None, "network", "linear"):  # the linear model has found what price and promotions do
        with pytest.raises(DataError, match="is not known for 2024-10-20"):
            forecast(fitted, model=model)


def test_rows_of_the_future_that_are_past_or_doubled_are_told() -> None:
    whole = shop(2)
    known, ahead = whole[whole["y"].notna()], whole[whole["y"].isna()][["ds", "store", "promo", "price"]]
    forecaster = Forecaster(**TINY, known=("promo", "price")).fit(known)
    expected = forecast(forecaster.fitted_, future=ahead)
    assert not any("future=" in note for note in expected.notes)
    longer = forecast(forecaster.fitted_, future=whole[["ds", "store", "promo", "price"]])
    said = "rows of future= before 2024-10-20, the first step that is forecast, count for nothing"
    assert said in longer.notes
    np.testing.assert_array_equal(longer.guess.point, expected.guess.point)
    again = pd.concat([ahead.assign(note="planned"), ahead.assign(note="sure")])  # the same said twice is said once
    twice = forecast(forecaster.fitted_, future=again)
    np.testing.assert_array_equal(twice.guess.point, expected.guess.point)
    other = pd.concat([ahead, ahead[3:4].assign(price=99.0)])
    with pytest.raises(DataError, match=r"future= has two rows for 2024-10-23 00:00:00, s0, which say different"):
        forecaster.predict(future=other)


def test_looks_and_reports_read_a_table_of_the_future() -> None:
    whole = shop(2)
    known, ahead = whole[whole["y"].notna()], whole[whole["y"].isna()][["ds", "store", "promo", "price"]]
    forecaster = Forecaster(**TINY, known=("promo", "price")).fit(known)
    pd.testing.assert_frame_equal(forecaster.attention_table(known, future=ahead), forecaster.attention_table(whole))
    fitted, panel = forecaster.fitted_, KIND.read(known, forecaster.fitted_.config, forecaster.fitted_.learned)
    assert "There is none yet." in forecast_sections(fitted, panel, None)[0].text
    shown = forecast_sections(fitted, panel, None, named="s1", future=ahead)[0]
    expected = forecaster.predict(future=ahead)
    assert shown.numbers is not None
    np.testing.assert_allclose(shown.numbers["forecast"], expected[expected["unique_id"] == "s1"]["yhat"], rtol=1e-6)
