"""``recurra compare`` and ``recurra demo``: many models on the same data, and what may be said of them."""

from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from ..settings import CompareAsked, make_config, settings_of
from ..tasks import kind_of
from ..training.meter import Tally, meter, meter_for
from ..writing.terminal import moves
from .console import end, err, message, out_console, print_notes
from .flags import (
    DEFAULT,
    TaskCommand,
    Verb,
    candidates_in,
    compare_settings,
    config_option,
    data_argument,
    json_option,
    out_option,
    overwrite_option,
    parts_in,
    recipe_in,
    task_option,
)
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


@click.command(cls=Verb)
@task_option
@out_option
@overwrite_option
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=2,
    help="how many seeds each model is trained with  [2]",
)
@click.option("--resume", metavar="FOLDER", help="go on in the folder of a demo that was stopped")
@json_option
def demo(task: str | None, out: str | None, overwrite: bool, seeds: int, resume: str | None, as_json: bool) -> None:
    """Compare all cells, with and without attention, on real data."""
    from ..verbs.common import Source
    from ..verbs.compare import CELLS_COMPARED, Lineup, make_candidates

    kind = kind_of(task or DEFAULT)
    shown = kind.demo()
    message(f"The demo {shown.about}.")
    print_notes(shown.data.notes)
    candidates = make_candidates(kind, shown.settings, CELLS_COMPARED, ("none", "additive"))
    asked = CompareAsked(out=out, overwrite=overwrite, json=as_json, resume=resume)
    run_comparison(
        kind, Source(shown.data), Lineup(candidates, range(seeds), verb="demo"), folder_for(asked, "demo"), asked
    )


@click.command(cls=TaskCommand, settings=compare_settings, asked=settings_of(CompareAsked))
@data_argument
@task_option
@config_option
@click.pass_context
def compare(ctx: click.Context, config: str | None, **flags: Any) -> None:
    """Compare cells and attentions on DATA, beside what costs nothing.

    All get the same data, seeds and budget, and are judged on the same cases.
    """
    parts = parts_in(ctx)
    asked, settings = asked_for(flags, config, parts, "compare", CompareAsked)
    from ..verbs.compare import Lineup, equalise, make_candidates, make_recipes

    kind = kind_of(asked.task or parts.name)
    known = parts.settings()
    cells = candidates_in(asked.cells, flags["cells"] is not None, known["cell"])
    attentions = candidates_in(asked.attentions, flags["attentions"] is not None, known["attention"])
    if not cells or not attentions:
        raise ConfigError("A comparison needs at least one cell and one attention (which may be none): name them.")
    candidates = make_candidates(kind, settings, cells, attentions)
    files = [(Path(one).stem, recipe_in(one, parts)) for one in asked.recipes or ()]
    recipes = make_recipes(kind, settings, files, [one.label for one in candidates])
    again = {name: getattr(asked, name) for name in ("cells", "attentions", "recipes", "seeds", "equal_parameters")}
    again |= {"settings": {name: make_config(parts, settings).plain()[name] for name in settings}}
    folder = folder_for(asked, f"compare-{stem(asked.data)}")
    with stoppable(folder, "compare"):
        source = read_source(kind, asked, settings)
        candidates = equalise(kind, source, candidates) if asked.equal_parameters else candidates
    first = settings.get("seed", known["seed"].default)
    seeds = range(first, first + asked.seeds)
    run_comparison(kind, source, Lineup([*candidates, *recipes], seeds, again), folder, asked)


def run_comparison(kind: Any, source: Any, lineup: Any, folder: Path, asked: CompareAsked) -> None:
    """Run a comparison with a live display, and print its table, verdicts and where its files are."""
    from ..training.runs import going_on
    from ..verbs.common import Listener
    from ..verbs.compare import compare_candidates

    options = {"overwrite": asked.overwrite, "resume": bool(asked.resume)}
    candidates = lineup.candidates
    before = finished_in(folder, lineup.verb) if asked.resume else 0
    tally = Tally(len(candidates) * len(lineup.seeds), before)
    width = max(len(candidate.label) for candidate in candidates)
    console = err()

    def tell(outcome: Any) -> None:
        metric = known[next(iter(outcome.metrics))]  # the first one ranks, which may follow from the data
        console.print(
            f"{tally.count()}  {outcome.candidate.label:{width}}  seed {outcome.seed}  "
            f"{metric.title} {shown_score(outcome.metrics[metric.name], metric)}  {outcome.effort.epochs} epochs"
            f"{tally.left()}",
            markup=False,
            soft_wrap=True,
        )

    known = {metric.name: metric for metric in kind.metrics(make_config(kind.parts, candidates[0].settings))}
    live = moves(console) and not asked.json
    shown_by = meter(console, tally) if live else meter_for(quiet=True)
    with stoppable(folder, lineup.verb), shown_by as shown:
        listener = Listener(print_notes, shown, tell)
        done = compare_candidates(kind, source, lineup, folder, **options, listener=listener)
    show_compared(done, asked.json)
    end(
        done,
        after_fault="The comparison covers what was done until then.",
        after_stop="Stopped by Ctrl-C: the comparison covers what was done until then. Go on with: "
        f"{going_on(lineup.verb, folder)}",
    )


def finished_in(folder: Path, verb: str) -> int:
    """Return how many trainings of a comparison that was stopped are finished."""
    from ..training.runs import read_state

    return len(read_state(folder, verb)[1]["outcomes"])


def shown_score(score: float, metric: Any) -> str:
    """Return a score with as many decimals as those above and below it."""
    return metric.write(score) if metric.share else f"{score:.3f}"


def show_compared(done: Any, as_json: bool) -> None:
    """Print the table, the verdicts and the paths."""
    from ..tasks.pages import conclusion, warnings
    from ..verbs.compare import comparison_data
    from .console import print_json
    from .tables import comparison_table, legend

    concluded = conclusion(done.fitted, done.judged, done.folder)
    if as_json:
        print_json(places(done) | {"conclusion": concluded} | comparison_data(done.comparison, done.chosen))
        return
    console = out_console()
    console.print()
    console.print(comparison_table(done.comparison.rows(), done.comparison.metric))
    console.print(f"\n{legend(done.comparison.metric)}\n", style="dim", markup=False)
    show_conclusion([*concluded, *done.comparison.verdicts(), *warnings(done.fitted)])
    kept = f"Kept: {done.chosen}, the lowest validation loss. The table is of held-out data, which no choice may go by."
    console.print(f"\n{kept}", markup=False)
    if any(outcome.candidate.recipe for outcome in done.comparison.outcomes):
        console.print("A recipe is trained with: recurra train DATA --config FILE", markup=False)
    show_places(done)
