"""The report of a forecaster and of a comparison: which findings, in which order, with which words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...data.series import Panel
from ...nn.explain import gate_traces, gradient_through_time, memory_length
from ...nn.layers import Recurrent
from ...report.figures import gates_over_time, gradient_norms, gradient_reach, learning_curves
from ...report.page import Section, report_html
from .backtest import error_by_step as step_errors
from .estimator import Forecaster
from .figures import Forecast, attention_figure, error_by_step, forecast_figure, series_grid
from .fitted import Answer, FittedForecaster
from .judging import Judged, ordinal
from .metrics import METRIC_NAMES

LOW = dict.fromkeys(METRIC_NAMES.values(), "low")


def training_report(forecaster: Forecaster, panel: Panel, judged: Judged | None) -> str:
    """Return the report of one training as a page."""
    fitted = forecaster.fitted_
    sections = [
        *_forecast_sections(fitted, panel, judged),
        *_inside_sections(fitted, panel),
        *_training(forecaster),
    ]
    horizon, names = fitted.layout.horizon, ", ".join(panel.names[:3])
    more = f" and {len(panel) - 3} more" if len(panel) > 3 else ""
    summary = [_headline(judged), *_facts(forecaster)]
    return report_html(f"Forecast of {names}{more}, {horizon} steps ahead", summary, sections, _settings(fitted))


def comparison_report(
    forecaster: Forecaster,
    panel: Panel,
    judged: Judged,
    compared: Mapping[str, Any],
) -> str:
    """Return the report of a comparison as a page; the pictures show the model that is kept.

    ``compared`` holds the table, the verdicts, which model was kept, and where the best attending one looked.
    """
    fitted = forecaster.fitted_
    rows, kept, looked = compared["table"], compared["kept"], compared.get("attention")
    first = Section(
        "Which model",
        "The same data, seeds and budget for all, judged on rows no model has seen; lower is better.\n\n"
        "MASE is the mean absolute error as a multiple of what repeating the last season missed in the training part, "
        "± its 95 % interval over seeds. A p below 0.05 says that chance explains the difference to the best model, or "
        "to the best naive forecast, badly (Diebold–Mariano test; 0.001 stands for less, too)."
        f"{_engines(rows)}",
        table=comparison_frame(rows),
        best={"MASE": "low", "MAE": "low"},
    )
    sections = [first, *_forecast_sections(fitted, panel, judged)]
    if looked is not None and looked["model"] != kept:
        sections.append(_attention_section(fitted, panel, np.array(looked["weights"]), looked["model"]))
    sections += [*_inside_sections(fitted, panel), *_training(forecaster)]
    models = sum("seeds" in row for row in rows)
    seed = fitted.config.training.seed
    summary = [
        *compared["verdicts"],
        f"The pictures below show {kept} from seed {seed}, which had the lowest validation loss of all.",
    ]
    return report_html(f"Comparison of {models} models", summary, sections, _settings(fitted))


def _engines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which engine ran which models, as their seconds depend on it."""
    models: dict[str, list[str]] = {}
    for row in rows:
        if "engines" in row:
            models.setdefault(row["engines"], []).append(row["model"])
    said = "; ".join(f"{engine} for {', '.join(names)}" for engine, names in models.items())
    return f"\n\nEngines, on which the seconds depend: {said}." if len(models) > 1 else ""


def comparison_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of a comparison with headings for people."""
    names = {
        "model": "model",
        "mase": "MASE",
        "interval": "±",
        "mae": "MAE",
        "p_best": "p, best",
        "p_naive": "p, naive",
        "validation": "valid. loss",
        "parameters": "params",
        "seconds_per_epoch": "s/epoch",
        "memory_mb": "MB",
        "epochs": "epochs",
    }
    frame = pd.DataFrame({heading: [row.get(name) for row in rows] for name, heading in names.items()})
    frame = frame.convert_dtypes().set_index("model")
    for name in ("p, best", "p, naive"):
        frame[name] = frame[name].clip(lower=0.001)
    return frame


def metrics_frame(metrics: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return metrics by model with headings for people, and the intervals' coverage in percent."""
    frame = pd.DataFrame.from_dict(metrics, orient="index")
    inside = [str(name) for name in frame if str(name).startswith("coverage")]
    frame[inside] *= 100
    names = METRIC_NAMES | {name: f"% in {name.split('_')[1]} % band" for name in inside}
    order = ["mase", "mae", "rmse", "smape", *inside, "scaled_mae", "scaled_mse"]
    return frame[order].rename(columns=names).rename_axis("model")


def _headline(judged: Judged | None) -> str:
    if judged is None:
        return "No rows were held out, so nothing says how good these forecasts are."
    name, *others = judged.metrics
    scores = {n: row["mase"] for n, row in judged.metrics.items()}
    naive = min((n for n in others if n != "linear"), key=lambda n: scores[n])
    change = 100 * (1 - scores[name] / scores[naive])
    if not change > 0:
        return (
            f"This model does not beat {naive}: its error on unseen rows is {-change:.0f} % larger. "
            f"Use {naive}, or try other settings."
        )
    said = f"On unseen rows the error is {change:.0f} % smaller than that of the best naive forecast ({naive})"
    if scores.get("linear", scores[name]) < scores[name]:
        return f"{said}, but a linear model does better still (MASE {scores['linear']:.3g} against {scores[name]:.3g})."
    return f"{said}."


def _facts(forecaster: Forecaster) -> list[str]:
    fitted = forecaster.fitted_
    about, model = fitted.about, fitted.config.model
    cell = model.cell if isinstance(model.cell, str) else " → ".join(model.cell)
    attention = "no attention" if model.attention == "none" else f"{model.attention} attention"
    facts = [f"Model: {cell}, {model.hidden_size} units, {attention}, {about['parameters']:,} parameters."]
    if "epochs" in about:
        facts.append(
            f"Training took {about['seconds']:.0f} s and was ended by {about['stopped_by']} after {about['epochs']} "
            f"epochs; the weights are those of epoch {about['best_epoch']}."
        )
    facts += [f"Data: {note}." for note in about.get("notes", ())]
    return facts


def _forecast_sections(fitted: FittedForecaster, panel: Panel, judged: Judged | None) -> list[Section]:
    answer = fitted.forecast(panel)
    views = {name: _view(fitted, panel, answer, n) for n, name in enumerate(answer.names)}
    levels = " and ".join(f"{level} %" for level in sorted(answer.guess.bands))
    bands = f" The shaded bands should hold {levels} of what happens." if levels else ""
    sections = [
        Section(
            "The forecast",
            f"What comes after the end of the data.{bands}",
            forecast_figure(*next(iter(views.values()))) if len(views) == 1 else series_grid(views),
        )
    ]
    if judged is not None:
        sections += _judged_sections(fitted, panel, judged)
    return sections


def _view(fitted: FittedForecaster, panel: Panel, answer: Answer, n: int) -> Forecast:
    past_times = fitted.times(panel, -min(fitted.layout.lookback, len(panel.values[n])), 0)[n]
    row, channel = (0, n) if fitted.joint else (n, 0)
    bands = {level: (low[row, :, channel], high[row, :, channel]) for level, (low, high) in answer.guess.bands.items()}
    past = panel.values[n][-len(past_times) :]
    return Forecast(past_times, past, answer.times[n], answer.guess.point[row, :, channel], bands)


def _judged_sections(fitted: FittedForecaster, panel: Panel, judged: Judged) -> list[Section]:
    truth = judged.backtest.truth
    name, *_ = judged.guesses
    windows = len(truth.values)
    every = f", made at every {ordinal(judged.step)} step" if judged.step > 1 else ""
    table = Section(
        "How good it is",
        f"Errors over {windows:,} forecasts of rows the model has not seen{every}; lower is better. MASE is the mean "
        "absolute error as a multiple of what repeating the last season missed in the training part. MAE and RMSE are "
        "in the unit of the data, scaled errors in training standard deviations.",
        table=metrics_frame(judged.metrics),
        best=LOW,
    )
    steps = {label: step_errors(truth, guess) for label, guess in judged.guesses.items()}
    curve = Section(
        "Error by step ahead",
        "Mean absolute error of each step ahead; where a line lies above a naive one, the naive one is better.",
        error_by_step(steps, ours=name),
    )
    return [table, _past_forecast(fitted, panel, judged), curve]


def _past_forecast(fitted: FittedForecaster, panel: Panel, judged: Judged) -> Section:
    """Show one forecast of the test rows beside what happened: the last one of the first series."""
    truth, guess = judged.backtest.truth, judged.backtest.guess
    window = int(np.flatnonzero(truth.series == truth.series[0])[-1])
    origin, n = int(truth.origins[window]), int(truth.series[window])
    first = max(0, origin - fitted.layout.lookback)
    bands = {level: (low[window, :, 0], high[window, :, 0]) for level, (low, high) in guess.bands.items()}
    figure = forecast_figure(
        panel.times(n, first, origin),
        panel.values[n][first:origin],
        panel.times(n, origin, origin + fitted.layout.horizon),
        guess.point[window, :, 0],
        bands,
        truth.values[window, :, 0],
        title=panel.names[n],
    )
    return Section(
        "Forecast against truth", "The last forecast of the held-out rows, made without seeing them.", figure
    )


def _attention_section(fitted: FittedForecaster, panel: Panel, weights: np.ndarray, model: str) -> Section:
    """Show where the forecast from the end of the first series looked: ``weights`` (Q, n)."""
    layout = fitted.layout
    past = fitted.times(panel, -layout.lookback, 0)[0][:: layout.segment]
    future = fitted.times(panel, 0, layout.written * layout.segment)[0][:: layout.segment]
    whose = f"Attention of {model}, the best model that has one," if model else "Attention"
    stretch = f" A column is a stretch of {layout.segment} steps of the past." if layout.segment > 1 else ""
    text = f"{whose} in the forecast from the end of the data ({panel.names[0]}).{stretch}"
    return Section("What the model looked at", text, attention_figure(weights, past, future))


def _inside_sections(fitted: FittedForecaster, panel: Panel) -> list[Section]:
    context = fitted.context(panel)
    one = context._replace(
        values=context.values[:1],
        identities=context.identities[:1],
        phases=context.phases[:1],
        scaling=context.scaling._replace(mean=context.scaling.mean[:1], std=context.scaling.std[:1]),
    )
    batch = fitted.batch(one)
    stack = next(module for module in fitted.network.modules() if isinstance(module, Recurrent))
    with torch.no_grad():
        output = fitted.network(batch, record=True)
    layout = fitted.layout
    past = fitted.times(panel, -layout.lookback, 0)[0][:: layout.segment]
    sections = []
    if output.weights is not None:
        weights = output.weights[0].cpu().numpy()
        weights = weights.mean(0) if weights.ndim == 3 else weights
        sections.append(_attention_section(fitted, panel, weights, ""))
    assert output.recurrence is not None and output.recurrence.inputs is not None
    traces = gate_traces(output.recurrence)
    half_lives = memory_length(traces)
    unit = f" One step here is a segment of {layout.segment}." if layout.segment > 1 else ""
    sections.append(
        Section(
            "Gates over time",
            f"What the recurrent cell does as it reads the past.{unit}",
            gates_over_time(traces, past),
            table=half_lives if len(half_lives) else None,
        )
    )
    norms = gradient_through_time(stack, output.recurrence.inputs)
    text = f"Whether training can reach far back.{unit}"
    return [*sections, Section("Gradient through time", text, gradient_reach(norms, past))]


def _training(forecaster: Forecaster) -> list[Section]:
    history: list[dict[str, Any]] = forecaster.history_
    if not history:
        return []
    return [
        Section(
            "Learning",
            "Training stops when the validation loss has not improved for a while; the best weights are kept.",
            [learning_curves(history), gradient_norms(history)],
        )
    ]


def _settings(fitted: FittedForecaster) -> dict[str, dict[str, Any]]:
    from dataclasses import asdict

    about = {name: value for name, value in fitted.about.items() if name not in ("metrics", "notes")}
    return fitted.config.to_dict() | {"found from data and settings": asdict(fitted.layout), "training run": about}
