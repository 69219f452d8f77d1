"""Attention that knows how long ago a step was: its laws, its lags, what it copies, and how that is drawn."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from laws_attention import (
    Sizes,
    law_distribution,
    law_dropout_is_in_the_sum_only,
    law_extreme_scores,
    law_gradients,
    law_masked_steps_are_invisible,
    law_no_mask_is_a_full_mask,
    law_nothing_allowed,
    law_parameters_are_used,
    law_same_answer_twice,
    law_saved_and_loaded,
    law_shapes,
    problem,
)
from networks import seeded
from pages import figures_in
from recurra import ConfigError, Forecaster
from recurra.attention import ATTENTIONS, LaggedAttention, ScoreAttention
from recurra.attention.lagged import SPEED
from recurra.data.batch import Batch
from recurra.data.calendar.frequency import steps_in_words
from recurra.tasks.forecast.answers import looks
from recurra.tasks.forecast.figures import lag_figure
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.lags import by_lag, even_looks
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.pages import training_page

LAYOUT = Layout(lookback=12, horizon=5, segment=2, season=1, cycle=False, channels=1, series=1, missing=False)
SCORES = [name for name in ATTENTIONS if issubclass(ATTENTIONS[name], ScoreAttention)]
LAWS = [
    law_shapes,
    law_distribution,
    law_masked_steps_are_invisible,
    law_no_mask_is_a_full_mask,
    law_nothing_allowed,
    law_extreme_scores,
    law_gradients,
    law_parameters_are_used,
    law_same_answer_twice,
    law_dropout_is_in_the_sum_only,
]


def lagged(name: str = "scaled_dot", longest: int = 9, seed: int = 0, share: float = 0.7) -> LaggedAttention:
    """One that has learned something: preferences for lags, and a share of the content."""
    torch.manual_seed(seed)
    made = LaggedAttention(ATTENTIONS[name](8, 8), longest)
    torch.nn.init.normal_(made.preferences, std=1 / SPEED)
    torch.nn.init.constant_(made.share, share)
    return made.double().eval()


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws(name: str, law: Any) -> None:
    law(lagged(name), Sizes(8, 8))


def test_saved_and_loaded() -> None:
    law_saved_and_loaded(lagged(seed=1), lagged(seed=2), Sizes(8, 8))


def test_lags_by_hand() -> None:
    attention = lagged(longest=4)
    with torch.no_grad():
        attention.preferences.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]) / SPEED)
    # Of two queries the first stands one step after the last of three, the second two; the longest lag is shared.
    assert attention.bias(2, 3)[0].tolist() == pytest.approx(torch.tensor([[3.0, 2, 1], [4, 3, 2]]))
    assert attention.bias(2, 5)[0, :, :2].unique().tolist() == pytest.approx([4.0])


def test_the_first_look_is_at_everything_alike() -> None:
    given = problem(Sizes(8, 8))
    for name in SCORES:
        fresh = LaggedAttention(ATTENTIONS[name](8, 8), 9).double()
        weights = fresh(given.query, fresh.project(given.states)).weights
        assert torch.allclose(weights, torch.full_like(weights, 1 / 6)), name


def test_rows_of_a_batch_do_not_meet() -> None:
    given, attention = problem(Sizes(8, 8)), lagged("additive")
    whole = attention(given.query, attention.project(given.states, given.mask))
    for row in range(3):
        part = slice(row, row + 1)
        alone = attention(given.query[part], attention.project(given.states[part], given.mask[part]))
        assert torch.allclose(alone.context, whole.context[part], atol=1e-12)


def test_weights_are_those_of_torch_with_a_bias() -> None:
    given, attention = problem(Sizes(8, 8)), lagged(share=1.0)
    seen = attention(given.query, attention.project(given.states))
    bias = attention.bias(4, 6)[0].expand(3, 4, 6)
    theirs = F.scaled_dot_product_attention(given.query, given.states, given.states, attn_mask=bias)
    assert torch.allclose(seen.context, theirs, atol=1e-12)


def test_every_head_prefers_lags_of_its_own() -> None:
    attention = lagged("multi_head", share=0.0)
    given = problem(Sizes(8, 8))
    weights = attention(given.query, attention.project(given.states)).weights
    assert weights.shape == (3, 4, 4, 6)
    assert not torch.allclose(weights[:, 0], weights[:, 1])
    assert torch.allclose(weights[0, 1], attention.bias(4, 6)[1].softmax(-1)), "no content, so only the lag counts"


# In the forecaster


def network(**settings: Any) -> Any:
    return seeded({"hidden_size": 8, "heads": 2} | settings, LAYOUT)[0]


@pytest.mark.parametrize("name", SCORES)
def test_a_forecaster_gives_lags_to_every_score(name: str) -> None:
    attention = network(attention=name).core.writer.attention
    assert type(attention) is LaggedAttention and type(attention.content) is ATTENTIONS[name]
    assert attention.longest == 6 + 3 - 1, "the last of three segments is so far from the first of six"
    bare = network(attention=name, lags=False).core
    assert type(bare.writer.attention) is ATTENTIONS[name] and bare.copied is None


def test_attentions_that_find_their_places_otherwise_have_none() -> None:
    core = network(attention="location_aware").core
    assert type(core.writer.attention) is ATTENTIONS["location_aware"] and core.copied is None
    with pytest.raises(ConfigError, match=r"lags=True needs an attention that scores .* LocationAwareAttention"):
        network(attention="location_aware", lags=True)


@pytest.mark.parametrize("settings", [{"attention": "none"}, {"decoder": "vanilla"}])
def test_lags_that_nothing_uses_are_refused(settings: dict[str, Any]) -> None:
    table = pd.DataFrame({"ds": pd.date_range("2024", periods=60), "y": np.arange(60.0) % 7})
    with pytest.raises(ConfigError, match="The setting lags has no effect"):
        Forecaster(horizon=2, lags=True, **settings).fit(table)


@pytest.mark.parametrize("name", ["scaled_dot", "multi_head", "interpretable_multi_head"])
def test_what_is_looked_at_is_copied(name: str) -> None:
    """With everything else silent, the forecast is the segment one lag back, times what is copied of it."""
    net = network(attention=name, loss="absolute", normalise="none").double().eval()
    core = net.core
    with torch.no_grad():
        core.out.weight.zero_()
        core.out.bias.zero_()
        core.writer.attention.preferences[:, 2] = 1e3  # lag 3: as far back as the written segments are many
        core.copied.copy_(torch.tensor([1.0, 0.5, 0.0]))
    x = torch.randn(2, 12, 1, dtype=torch.float64)
    answer = net(Batch(x)).prediction[..., 0]
    expected = torch.cat([x[:, 6:8], 0.5 * x[:, 8:10], 0 * x[:, :1]], 1)
    assert torch.allclose(answer, expected, atol=1e-9)


def test_a_season_of_nothing_but_noise_is_found_and_copied() -> None:
    """The values repeat after 20 steps and say nothing of each other: only looking 20 back and copying helps."""
    draw = np.random.default_rng(0)
    values = [*draw.normal(size=20)]
    for _ in range(580):
        values.append(0.97 * values[-20] + 0.2 * draw.normal())
    table = pd.DataFrame({"ds": np.arange(600), "y": values})
    sizes = {"horizon": 4, "lookback": 40, "segment": 2, "season": 1, "cycle": False, "normalise": "none"}
    known: dict[str, Any] = sizes | {"combine": False, "dropout": 0.0, "max_epochs": 30}
    with_lags, without = (Forecaster(**known, lags=lags).fit(table) for lags in (True, False))
    weights = looks(with_lags.fitted_)
    assert weights is not None
    shares = by_lag(weights[0])
    assert shares.argmax() + 1 == 10 and shares.max() > 0.6, "ten segments of two steps"
    assert with_lags.fitted_.network.core.copied.min() > 0.1
    losses = [one.fitted_.record.best_loss for one in (with_lags, without)]
    assert losses[0] < 0.75 * losses[1]


# How it is told


def test_looks_by_lag_by_hand() -> None:
    weights = np.array([[0.1, 0.2, 0.7], [0.0, 0.4, 0.6]])
    assert by_lag(weights) == pytest.approx([0.35, (0.2 + 0.6) / 2, (0.1 + 0.4) / 2, 0.0])
    assert even_looks(2, 3) == pytest.approx([1 / 6, 1 / 3, 1 / 3, 1 / 6])
    assert by_lag(np.random.default_rng(0).dirichlet(np.ones(7), 4)).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("frequency", "steps", "words"),
    [
        ("h", 24, "1 day"),
        ("h", 5, "5 hours"),
        ("h", 168, "1 week"),
        ("30min", 3, "90 minutes"),
        ("D", 1, "1 day"),
        ("D", 14, "2 weeks"),
        ("D", 365, "1 year"),
        ("h", 8760, "1 year"),
        ("30min", 2 * 17520, "2 years"),
        ("W", 4, "4 weeks"),
        ("W-FRI", 104, "2 years"),
        ("MS", 12, "1 year"),
        ("MS", 7, "7 months"),
        ("QS", 4, "1 year"),
        ("B", 10, "2 weeks"),
        ("B", 3, "3 business days"),
        ("YS", 3, "3 years"),
        (None, 1, "1 step"),
        (None, 30, "30 steps"),
    ],
)
def test_steps_in_words(frequency: str | None, steps: int, words: str) -> None:
    assert steps_in_words(frequency, steps) == words


def test_the_report_says_how_far_back_it_looked() -> None:
    draw = np.random.default_rng(1)
    hours = pd.date_range("2024-01-01", periods=400, freq="h")
    table = pd.DataFrame({"ds": hours, "y": np.sin(np.arange(400) / 24 * 2 * np.pi) + 0.1 * draw.normal(size=400)})
    fitted = Forecaster(horizon=12, hidden_size=8, max_epochs=2, epoch_steps=5).fit(table).fitted_
    page = training_page(fitted, [], KIND.read(table, fitted.config), None)
    figures = json.dumps(figures_in(page))
    assert "How far back it looked" in page and "1 day" in figures and "share of looks" in figures


def test_the_picture_names_whole_periods_and_marks_those_of_a_season() -> None:
    names = [steps_in_words("MS", 3 * lag) for lag in range(1, 11)]
    for seasonal in (False, True):
        figure = lag_figure(np.full(10, 0.1), names, 4, seasonal)
        assert list(figure.layout.xaxis.ticktext) == ["3 months", "1 year", "2 years"]
        assert figure.layout.margin.r >= 30, "the name of the last bar stands half outside of the axes"
        colours = figure.data[0].marker.color
        assert len(set(colours)) == 1 + seasonal and (colours[3] == colours[7] != colours[0]) == seasonal
        assert ("whole seasons" in figure.layout.meta["reading"]) == seasonal


def test_the_layout_decides_the_longest_lag() -> None:
    long = dataclasses.replace(LAYOUT, lookback=24, horizon=7)
    assert seeded({"hidden_size": 4}, long)[0].core.writer.attention.longest == 12 + 4 - 1
