"""``recurra compare`` and ``recurra demo``: many models on the same data, and what may be said of them."""

import sys
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from ..tasks import kind_of
from .console import err, message, meter_for, out_console, print_notes
from .flags import (
    DEFAULT,
    TaskCommand,
    compare_settings,
    given,
    json_option,
    out_option,
    overwrite_option,
    parts_in,
    source_options,
    task_option,
    with_classes,
)
from .train import folder_for, places, read_source, require, show_places, stem


@click.command()
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
    run_comparison(
        kind, Source(shown.data), candidates, range(seeds), folder_for(out, "demo"), as_json, overwrite=overwrite
    )


@click.command(cls=TaskCommand, settings=compare_settings)
@click.argument("data")
@source_options
@click.option(
    "--cells", metavar="NAMES", default="rnn,lstm,gru,lstm+gru,parallel,lstm_gru", help="cells, with + for a stack"
)
@click.option("--attentions", metavar="NAMES", default="none,additive", help="attentions  [none,additive]")
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="how many seeds each is trained with  [3]")
@click.option("--seed", type=click.IntRange(min=0), help="the first seed  [0]")
@click.option("--equal-parameters", is_flag=True, help="adjust hidden sizes until parameter counts agree")
@json_option
@click.pass_context
def compare(
    ctx: click.Context,
    data: str,
    task: str | None,
    config: str | None,
    out: str | None,
    overwrite: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Compare cells and attentions on DATA, beside what costs nothing.

    All get the same data, seeds and budget, and are judged on the same cases.
    """
    parts = parts_in(ctx)
    asked = {name: flags.pop(name) for name in ("cells", "attentions", "seeds", "equal_parameters")}
    origin = {name: flags.pop(name) for name in ("test_size", "test_data", "max_rows")}
    settings = given(flags, config, parts)
    require(parts, settings)
    from ..verbs.compare import equalise, make_candidates

    kind = kind_of(task or parts.name)
    names = [cell.replace("+", ",").replace(">", ",") for cell in listed(asked["cells"])]
    cells = [with_classes(name, "cell") for name in names]
    attentions = [with_classes(name, "attention") for name in listed(asked["attentions"])]
    if not cells or not attentions:
        raise ConfigError("A comparison needs at least one cell and one attention (which may be none): name them.")
    candidates = make_candidates(kind, settings, cells, attentions)
    source = read_source(kind, data, settings, **origin)
    if asked["equal_parameters"]:
        candidates = equalise(kind, source, candidates)
    first = settings.get("seed", 0)
    seeds = range(first, first + asked["seeds"])
    folder = folder_for(out, f"compare-{stem(data)}")
    run_comparison(kind, source, candidates, seeds, folder, as_json, overwrite=overwrite)


def run_comparison(
    kind: Any,
    source: Any,
    candidates: list[Any],
    seeds: range,
    folder: Path,
    as_json: bool,
    *,
    overwrite: bool,
) -> None:
    """Run a comparison with a live display, and print its table, verdicts and where its files are."""
    from ..verbs.common import Listener, ignore
    from ..verbs.compare import compare_candidates

    total = len(candidates) * len(seeds)
    width = max(len(candidate.label) for candidate in candidates)
    console = err()
    count = 0

    def tell(outcome: Any) -> None:
        nonlocal count
        count += 1
        console.print(
            f"{count:{len(str(total))}}/{total}  {outcome.candidate.label:{width}}  seed {outcome.seed}  "
            f"{metric.title} {shown_score(outcome.metrics[metric.name], metric)}  {outcome.effort.epochs} epochs",
            markup=False,
            soft_wrap=True,
        )

    from ..settings import make_config

    metric = kind.metrics(make_config(kind.parts, candidates[0].settings))[0]
    with meter_for(as_json or not console.is_terminal) as shown:
        listener = Listener(print_notes, shown or ignore, tell)
        done = compare_candidates(kind, source, candidates, seeds, folder, overwrite=overwrite, listener=listener)
    show_compared(done, as_json)
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


def listed(names: str) -> list[str]:
    """Return the names between commas, each once."""
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
