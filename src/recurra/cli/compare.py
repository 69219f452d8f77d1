"""``recurra compare`` and ``recurra demo``: many models on the same data, and what may be said of them."""

import sys
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from ..settings import CompareAsked, settings_of
from ..tasks import kind_of
from ..training.meter import Tally, meter, meter_for
from ..writing.terminal import moves
from .console import err, message, out_console, print_notes
from .flags import (
    DEFAULT,
    TaskCommand,
    Verb,
    candidates_in,
    compare_settings,
    config_option,
    data_argument,
    given,
    json_option,
    out_option,
    overwrite_option,
    parts_in,
    task_option,
)
from .train import folder_for, places, read_source, require, show_places, stem


@click.command(cls=Verb)
@task_option
@out_option
@overwrite_option
@click.option("--seeds", type=click.IntRange(min=1), default=2, help="how many seeds each model is trained with  [2]")
@json_option
def demo(task: str | None, out: str | None, overwrite: bool, seeds: int, as_json: bool) -> None:
    """Compare all cells, with and without attention, on real data."""
    from ..verbs.common import Source
    from ..verbs.compare import CELLS_COMPARED, make_candidates

    kind = kind_of(task or DEFAULT)
    shown = kind.demo()
    message(f"The demo {shown.about}.")
    print_notes(shown.data.notes)
    candidates = make_candidates(kind, shown.settings, CELLS_COMPARED, ("none", "additive"))
    asked = CompareAsked(out=out, overwrite=overwrite, json=as_json)
    run_comparison(kind, Source(shown.data), candidates, range(seeds), folder_for(asked, "demo"), asked)


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
    asked, settings = given(flags, config, parts, CompareAsked)
    require(parts, settings, asked)
    from ..verbs.compare import equalise, make_candidates

    kind = kind_of(asked.task or parts.name)
    known = parts.settings()
    cells = candidates_in(asked.cells, flags["cells"] is not None, known["cell"])
    attentions = candidates_in(asked.attentions, flags["attentions"] is not None, known["attention"])
    if not cells or not attentions:
        raise ConfigError("A comparison needs at least one cell and one attention (which may be none): name them.")
    candidates = make_candidates(kind, settings, cells, attentions)
    source = read_source(kind, asked, settings)
    if asked.equal_parameters:
        candidates = equalise(kind, source, candidates)
    first = settings.get("seed", known["seed"].default)
    seeds = range(first, first + asked.seeds)
    folder = folder_for(asked, f"compare-{stem(asked.data)}")
    run_comparison(kind, source, candidates, seeds, folder, asked)


def run_comparison(
    kind: Any, source: Any, candidates: list[Any], seeds: range, folder: Path, asked: CompareAsked
) -> None:
    """Run a comparison with a live display, and print its table, verdicts and where its files are."""
    from ..verbs.common import Listener
    from ..verbs.compare import compare_candidates

    tally = Tally(len(candidates) * len(seeds))
    width = max(len(candidate.label) for candidate in candidates)
    console = err()

    def tell(outcome: Any) -> None:
        console.print(
            f"{tally.count()}  {outcome.candidate.label:{width}}  seed {outcome.seed}  "
            f"{metric.title} {shown_score(outcome.metrics[metric.name], metric)}  {outcome.effort.epochs} epochs"
            f"{tally.left()}",
            markup=False,
            soft_wrap=True,
        )

    from ..settings import make_config

    metric = kind.metrics(make_config(kind.parts, candidates[0].settings))[0]
    live = moves(console) and not asked.json
    with meter(console, tally) if live else meter_for(quiet=True) as shown:
        listener = Listener(print_notes, shown, tell)
        done = compare_candidates(kind, source, candidates, seeds, folder, overwrite=asked.overwrite, listener=listener)
    show_compared(done, asked.json)
    if done.fault:
        raise ConfigError(f"{done.fault} The comparison covers what was done until then.")
    if done.interrupted:
        message("Stopped by Ctrl-C: the comparison covers what was done until then.")
        sys.exit(130)


def shown_score(score: float, metric: Any) -> str:
    """Return a score with as many decimals as those above and below it."""
    return metric.write(score) if metric.share else f"{score:.3f}"


def show_compared(done: Any, as_json: bool) -> None:
    """Print the table, the verdicts and the paths."""
    from ..verbs.compare import comparison_data
    from .console import print_json
    from .tables import comparison_table, legend

    if as_json:
        print_json(places(done) | comparison_data(done.comparison, done.chosen))
        return
    console = out_console()
    console.print()
    console.print(comparison_table(done.comparison.rows(), done.comparison.metric))
    console.print(f"\n{legend(done.comparison.metric)}\n", style="dim", markup=False)
    for sentence in done.comparison.verdicts():
        console.print(f"→ {sentence}", markup=False)
    console.print(f"\nKept: {done.chosen} from the seed with the lowest validation loss.", markup=False)
    show_places(done)
