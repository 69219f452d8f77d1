"""``recurra tune``: better settings, found by many trainings that validation judges."""

from typing import Any

import click

from ..settings import TuneAsked, make_config, settings_of
from ..tasks import kind_of
from ..training.meter import Tally, meter, meter_for
from ..writing.language import translated
from ..writing.terminal import moves
from .console import err, message, out_console, print_notes
from .flags import TaskCommand, config_option, data_argument, parts_in, task_option, train_settings
from .train import (
    asked_for,
    folder_for,
    places,
    read_source,
    show_conclusion,
    show_places,
    stem,
    stoppable,
)

SHOWN = 10  # trials in the terminal; the report has all


@click.command(cls=TaskCommand, settings=train_settings, asked=settings_of(TuneAsked))
@data_argument
@task_option
@config_option
@click.option("--search", multiple=True, metavar="NAMES", help=settings_of(TuneAsked)["search"].help)
@click.pass_context
def tune(ctx: click.Context, config: str | None, **flags: Any) -> None:
    """Search better settings for a model on DATA, and keep the best one.

    Trials are judged by validation alone; what is held out to test is answered once, by the best one.
    """
    parts = parts_in(ctx)
    flags["search"] = flags["search"] or None
    asked, settings = asked_for(flags, config, parts, "tune", TuneAsked)
    from ..training.runs import going_on
    from ..verbs.common import Listener
    from ..verbs.tune import Searching, tune_settings

    kind = kind_of(asked.task or parts.name)
    again = {name: getattr(asked, name) for name in ("search", "strategy", "trials", "minutes", "prune", "jobs")}
    again |= {"settings": {name: make_config(parts, settings).plain()[name] for name in settings}}
    folder = folder_for(asked, f"tune-{stem(asked.data)}")
    searching = Searching(asked, asked.search, again)
    tally, console = Tally(asked.trials), err()

    def tell(trial: Any) -> None:
        score = f"{trial.score:.4f}" if trial.scored else ""
        values = " ".join(f"{name}={value}" for name, value in trial.values.items())
        said = [tally.count(), translated(f"trial {trial.number}"), score, translated(trial.state), values]
        console.print("  ".join(said) + translated(tally.left()), markup=False, soft_wrap=True)

    live = moves(console) and not asked.json
    shown_by = meter(console, tally) if live else meter_for(quiet=True)
    with stoppable(folder, "tune"):
        source = read_source(kind, asked, settings)
        with shown_by as shown:
            done = tune_settings(kind, source, settings, searching, folder, Listener(print_notes, shown, tell))
    show_tuned(done, asked.json)
    stopped = f"Stopped by Ctrl-C: the best weights so far were kept. Go on with: {going_on('tune', folder)}"
    if done.trained.interrupted:
        message(stopped)
        raise SystemExit(130)


def show_tuned(done: Any, as_json: bool) -> None:
    """Print the best trials, what the search found, how good the best one is, and the paths."""
    from ..tasks.pages import conclusion, warnings
    from .console import print_json
    from .tables import metrics_table, trials_table

    trained, fitted = done.trained, done.trained.fitted
    concluded = conclusion(fitted, trained.judged, trained.folder)
    if as_json:
        print_json(places(trained) | {"conclusion": concluded} | dict(done.search))
        return
    console = out_console()
    console.print()
    console.print(trials_table(done.trials.head(SHOWN), done.finding.metric))
    show_conclusion(done.finding.sentences)
    if trained.judged:
        metrics = fitted.kind.metrics(fitted.config)
        console.print(f"\nHow good the best one is, {trained.judged.exam.said}:", markup=False)
        console.print(metrics_table(trained.judged.metrics, metrics))
    show_conclusion([*concluded, *warnings(fitted)])
    show_places(trained)
