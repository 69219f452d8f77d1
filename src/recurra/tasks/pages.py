"""The report of a training and of a comparison, of any kind: what comes in which order, and what is common."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..attention import Attention
from ..compare.advice import SURE, Advice, Held, advise, called
from ..compare.metric import Metric
from ..report.inside import inside_sections, learning_section
from ..report.page import Section, report_html
from ..settings import settings_of
from .base import BEFORE, CAREFUL, THE_NETWORK, THIS_MODEL, Fitted, Judged, row_name

History = Sequence[Mapping[str, Any]]
HARDLY = 0.05  # of an answer, below which it does not matter how the network was trained


def training_page(
    fitted: Fitted,
    history: History,
    data: Any,
    judged: Judged | None,
    folder: Path | None = None,
    asked: Any = None,
    chosen: tuple[str, Sequence[Section]] | None = None,
) -> str:
    """Return the report of one training as a page; ``asked`` is of the kind's settings for reports.

    ``folder`` is where the run is kept, for the commands that the report recommends; ``chosen`` says how the settings
    were found, in a sentence and in sections.
    """
    sections = [
        *_answers(fitted, data, judged, asked),
        *(() if chosen is None else chosen[1]),
        *_proof(fitted, data, judged),
        *_inside(fitted, data),
        *learning_section(history),
        _background(fitted),
    ]
    summary = _opening(fitted, judged, folder, *(() if chosen is None else chosen[:1]))
    return report_html(fitted.kind.title(fitted, data), summary, sections, _settings(fitted))


def comparison_page(
    fitted: Fitted,
    history: History,
    data: Any,
    judged: Judged,
    compared: Mapping[str, Any],
    folder: Path | None = None,
    asked: Any = None,
) -> str:
    """Return the report of a comparison as a page; the pictures show the model that is kept.

    ``compared`` holds the table, the verdicts, which model was kept, and where the best attending one looked.
    """
    rows, kept = compared["table"], compared["kept"]
    metrics = fitted.kind.metrics(fitted.config)
    table = Section(
        f"Which model: {_counted(rows)}",
        _how_compared(metrics[0], rows),
        table=comparison_frame(rows, metrics),
        best={heading(metrics[0]): metrics[0].better},
        points=compared["verdicts"],
    )
    sections = [*_answers(fitted, data, judged, asked), table, *_proof(fitted, data, judged)]
    sections += [*_looked(fitted, data, compared), *_inside(fitted, data), *learning_section(history)]
    sections.append(_background(fitted))
    said = (
        f"{kept} is kept, from seed {fitted.config.training.seed}: of all networks it had the lowest validation loss."
    )
    summary = _opening(fitted, judged, folder, said)
    return report_html(fitted.kind.title(fitted, data), summary, sections, _settings(fitted))


def _counted(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many rows a table of a comparison has."""
    networks = sum("seeds" in row for row in rows)
    others = len(rows) - networks
    return f"{networks} network{'s' * (networks != 1)}, {others} other{'s' * (others != 1)}"


def _answers(fitted: Fitted, data: Any, judged: Judged | None, asked: Any) -> list[Section]:
    return fitted.kind.sections(fitted, data, judged, fitted.kind.parts.report() if asked is None else asked)


def _how_compared(metric: Metric, rows: Sequence[Mapping[str, Any]]) -> str:
    better = "higher" if metric.better == "high" else "lower"
    what = f"{metric.sentence} " if metric.help else ""
    return (
        f"The same data, seeds and budget for all, judged on what no model has seen; {better} {metric.title} is "
        f"better.\n\n{what}± is the 95 % interval of its mean over seeds. A p below 0.05 says that chance explains the "
        f"difference to the best model, or to the best naive one, badly (0.001 stands for less, too).{_engines(rows)}"
    )


def _engines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which engine ran which models, as their seconds depend on it."""
    models: dict[str, list[str]] = {}
    for row in rows:
        if "engines" in row:
            models.setdefault(row["engines"], []).append(row["model"])
    said = "; ".join(f"{engine} for {', '.join(names)}" for engine, names in models.items())
    return f"\n\nEngines, on which the seconds depend: {said}." if len(models) > 1 else ""


def shown_in_comparison(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the metrics that stand in the table of a comparison: the first two that have a better side."""
    return [metric for metric in metrics if metric.better][:2]


def comparison_frame(rows: Sequence[Mapping[str, Any]], metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return the table of a comparison with headings for people."""
    first, *others = shown_in_comparison(metrics)
    names = {
        "model": "model",
        first.name: heading(first),
        "interval": "±",
        **{metric.name: heading(metric) for metric in others},
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
    for metric in (first, *others):
        if metric.share:
            frame[heading(metric)] *= 100
    if first.share:
        frame["±"] *= 100
    for name in ("p, best", "p, naive"):
        frame[name] = frame[name].clip(lower=0.001)
    return frame


def metrics_frame(metrics: Mapping[str, Mapping[str, float]], known: Sequence[Metric]) -> pd.DataFrame:
    """Return metrics by model with headings for people; shares are in percent."""
    frame = pd.DataFrame.from_dict(dict(metrics), orient="index")
    shown = [metric for metric in known if metric.shown and metric.name in frame]
    frame = frame[[metric.name for metric in shown]].copy()
    if shown[0].better:
        frame = frame.sort_values(shown[0].name, ascending=shown[0].better == "low", kind="stable")
    for metric in shown:
        if metric.share:
            frame[metric.name] *= 100
    return frame.rename(columns={metric.name: heading(metric) for metric in shown}).rename_axis("model")


def heading(metric: Metric) -> str:
    """Return what stands above a metric in a table."""
    return f"% {metric.title}" if metric.share else metric.title


def _proof(fitted: Fitted, data: Any, judged: Judged | None) -> list[Section]:
    if judged is None:
        return []
    known = fitted.kind.metrics(fitted.config)
    helps = [metric.sentence for metric in known if metric.help and metric.shown]
    said = f"{judged.exam.said[:1].upper()}{judged.exam.said[1:]}, which the model has not seen."
    table = Section(
        "How good it is",
        " ".join([said, *helps]),
        table=metrics_frame(judged.metrics, known),
        best={heading(known[0]): known[0].better},
    )
    return [table, *fitted.kind.proof(fitted, data, judged)]


def _inside(fitted: Fitted, data: Any) -> list[Section]:
    glimpse = fitted.kind.glimpse(fitted, data)
    if glimpse is None:
        return []
    return inside_sections(fitted.network, glimpse.batch, glimpse.steps, glimpse.unit, glimpse.span, glimpse.attention)


def _looked(fitted: Fitted, data: Any, compared: Mapping[str, Any]) -> list[Section]:
    """Return where the best attending model looked, if it is not the one that is kept."""
    looked, glimpse = compared.get("attention"), fitted.kind.glimpse(fitted, data)
    if looked is None or looked["model"] == compared["kept"] or glimpse is None or glimpse.attention is None:
        return []
    import numpy as np

    weights = np.array(looked["weights"])
    if weights.shape[-1] not in (len(glimpse.steps), glimpse.batch.inputs.shape[1]):  # one of them reads in other steps
        return []
    sections = glimpse.attention(weights)
    text = f"This is {looked['model']}, the best model that has an attention."
    return [dataclasses.replace(section, text=f"{text} {section.text}") for section in sections]


def conclusion(fitted: Fitted, judged: Judged | None, folder: Path | None = None) -> list[str]:
    """Return what a report says first: what to use, what its score means, and the command for it."""
    return _concluded(fitted, judged, folder, None if judged is None else advise(held(fitted, judged)))


def _opening(fitted: Fitted, judged: Judged | None, folder: Path | None, *kept: str) -> list[str]:
    """Return what stands above all pictures; which of several models is ``kept`` is said after what to use."""
    advice = None if judged is None else advise(held(fitted, judged))  # once: its tests of chance take their time
    return [
        *_concluded(fitted, judged, folder, advice),
        *kept,
        *map(sentence, fitted.kind.used(fitted)),
        *_pictured(judged, advice),
        *warnings(fitted),
    ]


def _concluded(fitted: Fitted, judged: Judged | None, folder: Path | None, advice: Advice | None) -> list[str]:
    if judged is None or advice is None:
        said, use = "Nothing was held out, so nothing says how good these answers are.", THIS_MODEL
        return [said, *_command(fitted, folder, use)]
    meaning = fitted.kind.meaning(fitted, judged.metrics[advice.use])
    tuned = _since_before(fitted, judged, advice.use)
    by_itself = advice.use == judged.name != _mine(judged)  # a comparison calls the network by its cell and attention
    use = THE_NETWORK if by_itself else advice.use
    return [*tuned, advice.text, *([meaning] if meaning else []), *_command(fitted, folder, use)]


def _since_before(fitted: Fitted, judged: Judged, use: str) -> list[str]:
    """Say whether what is to be used of a run that was fine-tuned is better than the run was before, beyond chance."""
    row = f"{judged.name}, {BEFORE}"
    if row not in judged.metrics:
        return []
    metric = fitted.kind.metrics(fitted.config)[0]
    before, now = (judged.metrics[label][metric.name] for label in (row, use))
    scores = f"({metric.title} {before:.4g} before, {now:.4g} now)"
    chance = fitted.kind.chance(judged.exam, [judged.statistics[use]], [judged.statistics[row]], metric)
    if not chance < SURE:
        return [f"As far as can be told, the fine-tuning has changed nothing {scores}."]
    if (now < before) == (metric.better == "low"):
        return [f"The fine-tuning has made it better {scores}."]
    return [f"The run was better before its fine-tuning {scores}: use the one that it began from."]


def _pictured(judged: Judged | None, advice: Advice | None) -> list[str]:
    """Say whose the pictures are, unless they are of the one model of a training, and it is the one to use."""
    if judged is None or advice is None:
        return []
    mine, use = _mine(judged), advice.use
    if use != mine:
        return [f"The pictures below show {called(mine)}, not '{use}'."]
    return [] if use == THIS_MODEL else [f"The pictures below show '{use}'."]


def held(fitted: Fitted, judged: Judged) -> Held:
    """Return the rows of a table, held against the model that answers."""
    kind = fitted.kind
    metric = kind.metrics(fitted.config)[0]
    others = f"{judged.name}, "  # what it was asked for besides is no row to use by itself
    rows = [label for label in judged.metrics if not label.startswith(others) or label == _mine(judged)]
    scores = {label: judged.metrics[label][metric.name] for label in rows}
    naive = [label for label in scores if is_naive(fitted, label)]

    def chance(first: str, second: str) -> float:
        return kind.chance(judged.exam, [judged.statistics[first]], [judged.statistics[second]], metric)

    return Held(metric, scores, _mine(judged), naive, chance)


def _mine(judged: Judged) -> str:
    """Return the row that is what the run answers: with all that join in, if others do."""
    whole = f"{judged.name}, combined"
    return whole if whole in judged.metrics else judged.name


def _command(fitted: Fitted, folder: Path | None, row: str) -> list[str]:
    """Return the command that answers as a row of the table does."""
    if folder is None:
        return []
    needed = fitted.kind.waits_for(fitted)
    where = shlex.quote(str(folder)) + ("" if fitted.kind.remembers else " NEW_DATA")
    where += "" if needed is None else f" --{needed} FILE"
    command = f"recurra predict {where}"
    if row in fitted.baselines or row == THE_NETWORK:  # other rows are what the run answers anyway
        if "model" not in settings_of(fitted.kind.parts.predict):
            return []
        command = f"recurra predict {where} --model {row_name(row)}"
    return [f"{fitted.kind.parts.answer.capitalize()}: `{command}`"]


def warnings(fitted: Fitted) -> list[str]:
    """Return what may be wrong with a model, as sentences; nothing if all seems well."""
    record = fitted.record
    found = [sentence(note) for note in record.notes if note.startswith(CAREFUL)]
    if fitted.kind.network_share(fitted) < HARDLY:
        return found  # how it was trained hardly matters
    if record.best_epoch == 1 and record.epochs > 1 and record.steps:
        found.append(
            "Careful: the first epoch was the best one. A smaller learning rate may help, or there is little to learn."
        )
    if record.steps and record.stopped_by == "max_epochs" and record.best_epoch == record.epochs > 1:
        found.append("Careful: training was ended while it still improved. More epochs may help.")
    return found


def is_naive(fitted: Fitted, label: str) -> bool:
    """Tell whether a row of the table learns nothing worth the name."""
    return label in fitted.baselines and fitted.baselines[label].naive


def sentence(note: str) -> str:
    """Return a note as a sentence."""
    return f"{note[:1].upper()}{note[1:]}."


def _background(fitted: Fitted) -> Section:
    return Section("The model and what was found in the data", points=facts(fitted), folded=True)


def facts(fitted: Fitted) -> list[str]:
    """Return what the model is, how it was trained, and what was found in the data."""
    record, model = fitted.record, fitted.config.model
    looks = any(isinstance(module, Attention) for module in fitted.network.modules())
    attention = f"{fitted.config.named('attention')} attention" if looks else "no attention"
    cell = fitted.config.named("cell")
    said = [f"Model: {cell}, {model.hidden_size} units, {attention}, {record.parameters:,} parameters."]
    if record.epochs:
        said.append(f"Training {record.course()}.")
    if record.answer:
        said.append(record.answer)
    return said + [f"Data: {note}." for note in record.notes]


def _settings(fitted: Fitted) -> dict[str, dict[str, Any]]:
    record = {
        name: value for name, value in fitted.record.to_dict().items() if name not in ("metrics", "notes", "answer")
    }
    found = fitted.learned.to_plain()[0]
    layout = found.get("layout")
    extra = {"found from data and settings": layout} if isinstance(layout, dict) else {}
    return fitted.config.to_dict() | extra | {"training run": record}
