"""Figures hold the arrays they were given; a report is one whole file that needs nothing else."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from subprocess import run

import numpy as np
import pandas as pd
import pytest
import torch
from jinja2 import UndefinedError

from pages import figures_in, unpacked
from recurra.cells import CELLS
from recurra.errors import ConfigError, RunError
from recurra.report.canvas import axis_of, log_axis, texts_of
from recurra.report.figures import (
    attention_map,
    gates_over_time,
    gradient_norms,
    gradient_reach,
    learning_curves,
    looked_where,
    reach_verdict,
)
from recurra.report.gates import ROLES, gate_table, remembered, role_of
from recurra.report.inside import mean_over_heads
from recurra.report.markup import render
from recurra.report.page import Section, report_html, write_report
from recurra.report.tables import table_html
from recurra.tasks.forecast.figures import Forecast, attention_figure, error_figure, forecast_figure, series_grid
from recurra.writing.language import speaking
from recurra.writing.numbers import in_steps, percent

RANDOM = np.random.default_rng(0)
VOID = {"meta", "br", "link", "img", "input", "hr"}
NASTY = '</script><img src="https://example.org/x.png" onerror=alert(1)> & "co"'


def history(epochs: int = 6, valid: bool = True) -> list[dict]:
    losses = [1.0, 0.6, 0.5, 0.45, 0.47, 0.52]
    return [
        {
            "number": n,
            "steps": 10 * n,
            "train_loss": 1 / n,
            "valid_loss": losses[n - 1] if valid else None,
            "best": n <= 4,
            "learning_rates": {"recurrence": 1e-3},
            "gradient_norms": {"recurrence": 0.1 * n, "other": 0.5 / n},
            "seconds": 0.1,
        }
        for n in range(1, epochs + 1)
    ]


def forecast(**options) -> Forecast:
    times = pd.date_range("2024-03-01", periods=40, freq="h", tz="Europe/Zurich")
    past, point = RANDOM.normal(size=30), RANDOM.normal(size=10)
    bands = {80: (point - 1, point + 1), 95: (point - 2, point + 2)}
    return Forecast(times[:30], past, times[30:], point, bands, **options)


def named(figure, name: str):
    return next(trace for trace in figure.data if trace.name == name)


class Page(HTMLParser):
    """Reads a page strictly: every tag that opens must close, in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag][-1] += data


@pytest.fixture(scope="module")
def page_text(tmp_path_factory) -> str:
    table = pd.DataFrame({"model": [NASTY, "naive"], "MAE": [0.5, 0.25]})
    single = forecast(truth=RANDOM.normal(size=10))
    sections = [
        Section("The forecast", "First.\n\nSecond: 80 % held.", forecast_figure(single, title=NASTY)),
        Section(NASTY, "a < b & c", list(series_grid({NASTY: single, "two": single})), table, {"MAE": "low"}),
        Section("Only words", "Nothing to see."),
    ]
    path = tmp_path_factory.mktemp("report") / "report.html"
    settings = {"model": {"cell": NASTY, "learning_rate": 0.00012345, "season": None, "parts": (1, 2)}}
    assert write_report(path, f"Title {NASTY}", ["It works.", "Well & good."], sections, settings) == path
    return path.read_text(encoding="utf-8")


def test_report_is_whole_and_has_every_part(page_text):
    page = Page(page_text)
    assert page_text.startswith("<!DOCTYPE html>")
    assert ("html", {"lang": "en"}) in page.tags
    assert page.texts["h1"] == [f"Title {NASTY}"]
    assert page.texts["h2"] == ["The forecast", NASTY, "Only words", "Settings"]
    assert page.texts["a"] == page.texts["h2"][:-1]
    assert "It works." in page.texts["p"]
    assert page.texts["li"] == ["Well & good."]
    assert "Second: 80\N{NO-BREAK SPACE}% held." in page.texts["p"]
    assert page.texts["strong"] == ["0.2500"]
    assert page.texts["dd"] == [NASTY, "0.00012345", "–", "1, 2"]
    assert len(page.texts["figcaption"]) == 2  # one for each group of figures, though the grid has two figures


def test_report_asks_the_network_for_nothing(page_text):
    page = Page(page_text)
    loads = [
        value
        for tag, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action") and not value.startswith("#")
    ]
    assert loads == []
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "img", "object", "embed")]
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_report_holds_plotly_once_and_a_place_for_every_figure(page_text):
    page = Page(page_text)
    assert "Plotly" in unpacked(page_text, "plotly")
    figures = figures_in(page_text)
    assert [attributes["class"] for tag, attributes in page.tags if "plot" in attributes.get("class", "").split()] == [
        "plot"
    ] * len(figures)
    assert len(figures) == 3
    assert "now" in json.dumps(figures[0]["layout"]["annotations"])
    assert "text" not in figures[0]["layout"].get("title", {})  # it stands in the page
    assert len(page_text) < 1_000_000, "small enough to send"


def test_legends_stand_in_the_page_where_they_wrap(page_text):
    page = Page(page_text)
    legends = [text.split() for text in page.texts["p"] if "interval" in text and "forecast" in text]
    assert len(legends) == 2, "one of the single figure, one for both of the grid"
    assert not any(figure["layout"]["showlegend"] for figure in figures_in(page_text))


def test_what_can_be_copied_is_code_and_stays_text(tmp_path):
    text = report_html("T", [f"Use `recurra predict run {NASTY}`."], [], {})
    assert Page(text).texts["code"] == [f"recurra predict run {NASTY}"]


def test_every_report_is_in_the_language_of_its_time():
    settings = {"model": {"cell": "gru"}}
    first = report_html("T", [], [], settings)
    with speaking("zh"):
        other = report_html("T", [], [], settings)
    assert Page(first).texts["h2"] == ["Settings"] and Page(other).texts["h2"] == ["设置"]
    assert ("html", {"lang": "zh"}) in Page(other).tags and report_html("T", [], [], settings) == first


def test_what_is_folded_is_there(tmp_path):
    numbers = pd.DataFrame({"forecast": [1.5]}, index=pd.Index([pd.Timestamp("2024-03-01")], name="time"))
    parts = [Section("Seen", "", numbers=numbers), Section("Folded", points=["one", NASTY], folded=True)]
    page = Page(report_html("T", [], parts, {}))
    assert page.texts["li"] == ["one", NASTY]
    assert "Folded" in page.texts["summary"][1] and "The numbers" in page.texts["summary"][0]
    assert "1.500" in page.texts["td"]


def test_report_without_figures_needs_no_script(tmp_path):
    text = write_report(tmp_path / "r.html", "T", [], [], {}).read_text()
    page = Page(text)
    assert "script" not in page.texts
    assert len(text) < 10_000


def test_figures_given_to_a_report_stay_as_they_were(tmp_path):
    figure = gradient_reach(np.ones(3), [1, 2, 3])
    title = figure.layout.title.text
    write_report(tmp_path / "r.html", "T", [], [Section("s", "", figure)], {})
    assert figure.layout.title.text == title


@pytest.mark.parametrize("broken", ["write_text", "replace"])
def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch, broken):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, broken, fail)
    with pytest.raises(RunError, match=r"report\.html.*No space left"):
        write_report(path, "new", [], [], {})
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    table = pd.DataFrame({"MAE": [1.0]})
    with pytest.raises(ConfigError, match="Did you mean 'MAE'"):
        write_report(path, "new", [], [Section("s", "", table=table, best={"MAY": "low"})], {})
    assert path.read_text() == "old"
    with pytest.raises(RunError, match="missing"):
        write_report(tmp_path / "missing" / "r.html", "new", [], [], {})


def cells(table: pd.DataFrame, best=None) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", table_html(table, best))
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_tables_write_numbers_as_people_do():
    table = pd.DataFrame(
        {
            "count": [1234567, -5],
            "error": [0.34641, 1e-7],
            "value": [1234.5, np.nan],
            "life": [12.3456, np.inf],
            "ok": [True, False],
            "at": pd.to_datetime(["2024-03-04", None]),
            "<b>": ["<i>", None],
        }
    )
    assert cells(table)[0] == ["count", "error", "value", "life", "ok", "at", "&lt;b&gt;"]
    assert cells(table)[1] == [
        "1\u202f234\u202f567",
        "0.3464",
        "1\u202f234",
        "12.35",
        "yes",
        "Mon 2024-03-04",
        "&lt;i&gt;",
    ]
    assert cells(table)[2] == ["−5", "1.0e−07", "–", "∞", "no", "–", "–"]


def test_long_texts_are_broken_and_those_of_users_stay():
    table = pd.DataFrame({"answer": ["mean", "x " * 30], "size": [1, 2]}, index=pd.Index(["mean", "b"], name="text"))
    page = table_html(table)
    assert page.startswith('<div class="table texts"') and '<td data-name="answer">mean</td>' in page
    assert "data-name" not in table_html(table.head(1)), "short ones need no lines"
    with speaking("zh"):
        for own, kept in (((), 0), (("rows",), 1), (("rows", "cells"), 2)):
            assert table_html(table, own=own).count(">mean<") == kept


def test_a_wide_figure_is_scrolled_and_its_own_names_stay():
    figure = attention_map(np.eye(2), ["mean", "b"], ["c", "d"])
    with speaking("zh"):
        assert '"mean"' not in unpacked(report_html("t", [], [Section("s", figure=figure)], {}), "figures")
    figure.layout.meta = {"least": 400, "own": ["ticktext"]}
    with speaking("zh"):
        page = report_html("t", [], [Section("s", figure=[figure, figure])], {})
    assert '"mean"' in unpacked(page, "figures") and 'class="grid one"' in page and page.count("min-width:400px") == 2


def test_tables_mark_the_best_and_name_their_rows():
    table = pd.DataFrame({"error": [2.0, 1.0, 1.0, np.nan], "score": [1, 3, 2, 0]}, index=list("abcd"))
    found = cells(table, {"error": "low", "score": "high"})
    assert found[1:] == [
        ["a", "2", "1"],
        ["b", "<strong>1</strong>", "<strong>3</strong>"],
        ["c", "<strong>1</strong>", "2"],
        ["d", "–", "0"],
    ]
    assert '<th scope="row">a</th>' in table_html(table)
    assert "<strong>" not in table_html(pd.DataFrame({"x": [np.nan]}), {"x": "low"})
    with pytest.raises(ConfigError, match="high, low"):
        table_html(table, {"error": "lowest"})


def test_learning_curves_mark_the_best_epoch():
    figure = learning_curves(history())
    assert named(figure, "training").y == tuple(1 / n for n in range(1, 7))
    assert named(figure, "validation").y == (1.0, 0.6, 0.5, 0.45, 0.47, 0.52)
    assert figure.layout.shapes[0].x0 == 4
    assert figure.layout.annotations[0].text == "best: epoch 4, 0.45"
    alone = learning_curves(history(valid=False))
    assert [trace.name for trace in alone.data] == ["training"]
    assert alone.layout.annotations[0].text == "best: epoch 4, 0.25"
    assert not learning_curves([]).data[0].y


def test_gradient_norms_has_a_line_per_group():
    figure = gradient_norms(history())
    np.testing.assert_allclose(named(figure, "recurrence").y, 0.1 * np.arange(1, 7))
    np.testing.assert_allclose(named(figure, "other").y, 0.5 / np.arange(1, 7))
    assert figure.layout.yaxis.type == "log"


def test_attention_map_holds_the_weights_between_the_borders_of_its_segments():
    weights = RANDOM.dirichlet(np.ones(3), size=2)
    memory = pd.date_range("2024-03-04", periods=3, freq="12h")
    figure = attention_figure(weights, memory, pd.to_datetime(["2024-03-07", "2024-03-08"]))
    (drawn,) = figure.data
    np.testing.assert_array_equal(drawn.z, weights)
    borders = pd.date_range("2024-03-04", periods=4, freq="12h")
    assert list(pd.to_datetime(drawn.x)) == list(borders)
    assert figure.layout.xaxis.type == "date"
    share = percent(weights[0, 1])
    assert drawn.text[0][1] == f"forecast of Thu 2024-03-07 looked at Mon 2024-03-04 12:00: {share}"
    assert figure.layout.yaxis.ticktext == ("Mar 7", "Mar 8")
    assert figure.layout.yaxis.autorange == "reversed"  # the first output on top
    assert "sums to 100 %" in figure.layout.meta["reading"]
    assert "sums" not in attention_map(weights / 2, memory, range(2)).layout.meta["reading"]
    assert "33 % per cell" in figure.layout.meta["reading"]


def test_attention_map_over_words_keeps_those_that_come_twice():
    figure = attention_map(np.full((1, 3), 1 / 3), ["the", "<b>", "the"], ["le"], output="word")
    assert figure.layout.xaxis.ticktext == ("the", "&lt;b&gt;", "the")
    assert list(figure.data[0].x) == [-0.5, 0.5, 1.5, 2.5]
    assert figure.data[0].text[0][1] == "word le looked at &lt;b&gt;: 33 %"


def test_attention_map_counts_its_labels():
    with pytest.raises(ConfigError, match=r"\(2, 3\).*got 2 and 4"):
        attention_map(np.ones((2, 3)), range(4), range(2))


def test_large_attention_maps_name_cells_by_their_axes():
    figure = attention_map(np.full((100, 201), 1 / 201), range(201), range(100))
    assert figure.data[0].text is None
    assert figure.data[0].hovertemplate.startswith("output %{y} looked at %{x}")


def test_gates_over_time_show_median_and_band():
    gates = {"layer 1 · forget": RANDOM.random((5, 7)), "layer 1 · <b>": RANDOM.random((5, 7)) - 0.5}
    figure = gates_over_time(gates, range(10, 15))
    for number, gate in enumerate(gates.values()):
        high, low, middle = figure.data[3 * number : 3 * number + 3]
        np.testing.assert_allclose(middle.y, np.median(gate, 1))
        np.testing.assert_allclose(low.y, np.quantile(gate, 0.1, axis=1))
        np.testing.assert_allclose(high.y, np.quantile(gate, 0.9, axis=1))
        assert list(middle.x) == [10, 11, 12, 13, 14]
    assert [a.text for a in figure.layout.annotations] == ["<b>layer 1 · forget</b>", "<b>layer 1 · &lt;b&gt;</b>"]


def test_gradient_reach_holds_the_norms_and_says_what_they_mean():
    norms = 0.5 ** np.arange(19, -1, -1.0)
    figure = gradient_reach(norms, range(20))
    np.testing.assert_array_equal(figure.data[0].y, norms)
    assert figure.layout.title.text == reach_verdict(norms)
    assert figure.layout.shapes[0].y0 == 0.01


@pytest.mark.parametrize(
    ("norms", "verdict"),
    [
        # ½^7 is the first power of ½ below 1 %.
        (0.5 ** np.arange(19, -1, -1.0), "The gradient falls to 1 % after 7 steps of 20 steps: memory is short."),
        (0.7 ** np.arange(19, -1, -1.0), "The gradient falls to 1 % after 13 steps of 20 steps: memory is long."),
        (np.eye(1, 5, 4)[0], "The gradient falls to 1 % after 1 step of 5 steps: memory is short."),
        (np.linspace(0.5, 1, 20), "The gradient does not vanish: 50 % of it is left at the far end, 20 steps back."),
        (
            2.0 ** np.arange(19, -1, -1.0),
            "The gradient grows to more than 1000 times its size on its way back: it explodes.",
        ),
        (np.zeros(4), "No gradient reaches the input: the last output does not depend on it."),
        (np.array([np.inf, 1.0]), "The gradient is not a finite number: it explodes."),
    ],
)
def test_reach_verdict(norms, verdict):
    assert reach_verdict(norms) == verdict
    assert gradient_reach(norms, range(len(norms))).layout.title.text == verdict


def test_forecast_figure_holds_what_it_was_given():
    truth = RANDOM.normal(size=10)
    given = forecast(truth=truth)
    figure = forecast_figure(given, title="<b>")
    np.testing.assert_array_equal(named(figure, "what happened").y, given.past)
    np.testing.assert_array_equal(named(figure, "forecast").y, given.point)
    np.testing.assert_array_equal(named(figure, "what happened then").y, truth)
    names = [trace.name for trace in figure.data]
    for level, (low, high) in given.bands.items():
        at = names.index(f"{level} % interval")
        np.testing.assert_array_equal(figure.data[at].y, low)
        np.testing.assert_array_equal(figure.data[at - 1].y, high)
        assert figure.data[at].fill == "tonexty"
    assert names.index("95 % interval") < names.index("80 % interval")  # the wide one below
    last = pd.Timestamp("2024-03-02 05:00")  # of the past, on the wall clock
    assert pd.Timestamp(figure.layout.shapes[0].x0) == last
    assert figure.layout.title.text == "&lt;b&gt;"


def test_forecast_figure_shows_the_near_past_and_keeps_the_rest():
    past = np.r_[np.full(70, 1e6), np.zeros(30)]
    figure = forecast_figure(Forecast(range(100), past, range(100, 110), np.ones(10)))
    assert tuple(figure.layout.xaxis.range) == (76, 109)
    assert figure.layout.yaxis.range[1] < 2
    assert len(named(figure, "what happened").y) == 100


def test_forecast_figure_shows_the_parts_of_a_mean():
    parts = {"network": np.full(10, 3.0), "linear": np.full(10, 99.0)}
    given = Forecast(range(20), np.zeros(20), range(20, 30), np.full(10, 4.0), parts=parts)
    figure = forecast_figure(given)
    for name, values in parts.items():
        np.testing.assert_array_equal(named(figure, name).y, values)
    assert figure.layout.yaxis.range[1] > 99 and "weighted mean" in figure.layout.meta["reading"]
    assert "weighted mean" not in forecast_figure(given._replace(parts={})).layout.meta["reading"]


def test_series_grid_has_at_most_six_figures():
    grid = series_grid({f"shop {n}": forecast() for n in range(8)})
    assert [figure.layout.title.text for figure in grid] == [f"shop {n}" for n in range(6)]


def test_error_by_step_lets_our_model_stand_out():
    errors = {"naive": np.array([1.0, 2.0]), "ours": np.array([0.5, 1.5]), "linear": np.array([0.7, 1.6])}
    figure = error_figure(errors, ours="ours")
    for name, error in errors.items():
        np.testing.assert_array_equal(named(figure, name).y, error)
        assert list(named(figure, name).x) == [1, 2]
    widths = {trace.name: trace.line.width for trace in figure.data}
    assert max(widths, key=widths.__getitem__) == "ours"
    assert len({trace.line.color for trace in figure.data}) == 3


def test_axes_tell_times_numbers_and_names_apart():
    periods, axis = axis_of(pd.period_range("2024-01", periods=2, freq="M"))
    assert axis["type"] == "date"
    assert list(periods) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")]
    assert axis_of([3, 5])[0].tolist() == [3, 5]
    assert axis_of(["x", "x"])[1]["ticktext"] == ["x", "x"]
    assert texts_of([0.5, 2.0]) == ["0.5", "2"]
    assert texts_of(pd.to_datetime(["2024-03-04 06:00"]), short=True) == ["Mar 4 06:00"]


def test_log_axis_labels_lie_on_it():
    axis = log_axis([1e-9, 0.0, np.nan, 10.0])
    assert 2 <= len(axis["tickvals"]) <= 9
    assert all(axis["range"][0] <= np.log10(tick) <= axis["range"][1] for tick in axis["tickvals"])
    assert axis["ticktext"][0].startswith("10<sup>−")
    assert log_axis([0.0, -1.0]) == {"type": "linear"}


def test_importing_the_report_imports_neither_plotly_nor_jinja2():
    code = (
        "import sys, recurra.report.page, recurra.tasks.forecast.figures;"
        "sys.exit(bool({'plotly', 'jinja2'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_template_that_is_given_too_little_says_so():
    with pytest.raises(UndefinedError, match="rows"):
        render("table.html.j2", {"head": [], "long": False})


def test_heads_are_averaged_for_pictures():
    heads = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 3))
    np.testing.assert_allclose(mean_over_heads(torch.from_numpy(heads)), (heads[0] + heads[1]) / 2)
    np.testing.assert_array_equal(mean_over_heads(torch.from_numpy(heads[0]).requires_grad_()), heads[0])


def test_gates_are_put_into_words():
    traces = {
        "layer 1 · forget": np.full((9, 4), 0.95),
        "layer 1 · lstm input": np.full((9, 4), 0.1),
        "layer 1 · candidate": np.sin(np.arange(9.0))[:, None] * np.ones(4),
        "layer 1 · my own": np.linspace(0, 1, 9)[:, None] * np.ones(4),
    }
    table = gate_table(traces)
    assert list(table.index) == list(traces)
    assert list(table["what it does"]) == [ROLES["forget"], ROLES["input"], ROLES["candidate"], ""]
    assert list(table["what is seen"]) == [
        "mostly open (median 0.95), hardly moves",
        "mostly shut (median 0.10), hardly moves",
        "moves with the input",
        "half open (median 0.50), moves with the input",
    ]


@pytest.mark.parametrize("name", CELLS)
def test_every_gate_of_the_package_has_its_role(name):
    cell = CELLS[name](3, 4)
    gates = cell.gates(cell.project(torch.zeros(1, 3)), cell.initial(1))
    assert all(role_of(f"layer 1 · {gate}") for gate in gates)


def test_memory_is_put_into_words():
    lives = pd.DataFrame([[2.0, 1.0, np.inf]], index=["layer 1"])
    (said,) = remembered(lives, lambda steps: f"{steps:g} weeks")
    assert said == (
        "The median unit has lost half of its memory after 2 weeks; a tenth of the units lose it within 1 weeks, a "
        "tenth keep it for good."
    )
    several = remembered(pd.DataFrame([[2.0, 1.0, 9.0], [np.inf] * 3], index=["layer 1", "layer 2"]), in_steps)
    assert "unit of layer 1" in several[0] and several[1] == "The median unit of layer 2 keeps all of its memory."


def test_looks_are_put_into_words():
    months = pd.date_range("2024-01-01", periods=5, freq="MS")
    assert looked_where(np.full((3, 5), 0.2), months) == "It looks nearly everywhere alike."
    weights = np.tile([0.05, 0.05, 0.8, 0.05, 0.05], (3, 1))
    assert looked_where(weights, months) == (
        "It looks longest at Mar 2024, with 80 % of all looks; looking everywhere alike would be 20 %."
    )


def test_a_bad_baseline_does_not_squeeze_the_others():
    near, far = np.array([1.0, 2.0]), np.array([50.0, 60.0])
    figure = error_figure({"ours": near, "naive": near + 1, "silly": far}, ours="ours")
    assert figure.layout.yaxis.range == (0, pytest.approx(3.3)) and "Too far off for this picture: silly." in str(
        figure.layout.meta["reading"]
    )
    assert error_figure({"ours": far, "naive": near}, ours="ours").layout.yaxis.range is None, "ours is always seen"
