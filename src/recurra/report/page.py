"""One HTML file that a person can read, send and print: a summary, sections with figures and tables, settings.

The file holds everything it needs, plotly's script included, and asks the network for nothing.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import write_text
from ..errors import pick
from ..numbers import NOTHING, column
from .canvas import FONT, texts_of

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

# The browser itself refuses whatever the file would ask of the network.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
CONFIG = '{"config": {"responsive": true, "displaylogo": false, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}}'
STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2127; --soft: #59626d; --line: #dde1e6;
  --panel: #f5f7f9; --accent: #1f6fb2 }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e8eaed; --soft: #a3abb5; --line: #343a42;
  --panel: #1c2026; --accent: #6db3ee } }
@media print { :root { color-scheme: light; --page: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc;
  --panel: #ffffff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 FONT }
main { max-width: 1120px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .5rem; overflow-wrap: anywhere }
h3 { font-size: 1rem; margin: 0 0 .25rem }
p, li { max-width: 72ch; overflow-wrap: anywhere }
p { margin: 0 0 .75rem }
header ul { margin: 0 0 1rem; padding-left: 1.2rem }
header li { margin: .2rem 0 }
.lead { font-size: 1.2rem; line-height: 1.45; border-left: 4px solid var(--accent); padding-left: .9rem;
  margin-bottom: 1rem }
a { color: var(--accent) }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .93rem }
section, details { border-top: 1px solid var(--line); margin-top: 2.25rem; padding-top: 1.5rem }
figure { margin: .75rem 0 1.25rem }
figcaption { color: var(--soft); font-size: .93rem; max-width: 80ch; margin-top: .35rem }
.title { font-weight: 600; margin: 0 0 .15rem; overflow-wrap: anywhere }
.grid { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)) }
.one { --least: 100% }
.small { --least: 310px }
.wide { --least: 420px }
.grid > div { min-width: 0 }
.table { overflow: auto; max-height: 60rem; margin: .75rem 0 1.25rem }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { padding: .38rem .9rem .38rem 0; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--line) }
thead th { position: sticky; top: 0; background: var(--page); color: var(--soft); font-weight: 600 }
tbody th { font-weight: 400 }
.number { text-align: right; padding-left: .9rem }
summary { cursor: pointer; font-size: 1.3rem; font-weight: 600 }
.settings { display: grid; gap: 1.25rem 2.5rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)) }
dl { margin: 0; font-size: .93rem }
dl div { display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid var(--line) }
dt { color: var(--soft) }
dd { margin: 0; text-align: right; overflow-wrap: anywhere }
.cartesianlayer text, .infolayer text { fill: var(--ink) !important }
@media (hover: none) { .modebar { display: none !important } }
@media print { nav { display: none } .table { overflow: visible; max-height: none } thead th { position: static }
  .grid > div, tr { break-inside: avoid } h2, section > p { break-after: avoid } main { padding: 0 }
  .modebar { display: none } }
""".replace("FONT", FONT)


@dataclass(frozen=True)
class Section:
    """One finding: what it is, what it says, and what shows it."""

    heading: str
    text: str  # plain text; an empty line begins a new paragraph
    figure: "Figure | Sequence[Figure] | None" = None  # several stand beside each other where there is room
    table: "pd.DataFrame | None" = None
    best: Mapping[str, str] = field(default_factory=dict)  # column to 'low' or 'high': what is set in bold


def write_report(
    path: str | os.PathLike[str],
    title: str,
    summary: Sequence[str],
    sections: Sequence[Section],
    settings: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write the report to ``path`` and return it; an older file there stays whole until the new one is ready.

    The first sentence of ``summary`` is the headline, the others are points below it.
    Raises RunError if the file cannot be written.
    """
    text = report_html(title, summary, sections, settings)
    return write_text(Path(path), text, f"The report cannot be written to {path}")


def report_html(
    title: str, summary: Sequence[str], sections: Sequence[Section], settings: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the whole file that ``write_report`` writes."""
    body = "\n".join(_section(number, section) for number, section in enumerate(sections, 1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="recurra">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{escape(title)}</h1>
{_summary(summary)}
{_contents(sections)}
</header>
{body}
{_settings(settings)}
</main>
{_scripts(sections)}
</body>
</html>
"""


def _prose(text: str) -> str:
    return _bound(escape(text))


def _bound(text: str) -> str:
    """Return ``text`` with its percent signs kept on the line of their numbers."""
    return text.replace(" %", "\u00a0%")


def _summary(summary: Sequence[str]) -> str:
    if not summary:
        return ""
    points = "".join(f"<li>{_prose(point)}</li>" for point in summary[1:])
    return f'<p class="lead">{_prose(summary[0])}</p>' + (f"<ul>{points}</ul>" if points else "")


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < 3:
        return ""
    links = (f'<a href="#part-{n}">{escape(section.heading)}</a>' for n, section in enumerate(sections, 1))
    return f'<nav aria-label="Contents">{" ".join(links)}</nav>'


def _section(number: int, section: Section) -> str:
    paragraphs = [f"<p>{_prose(part.strip())}</p>" for part in section.text.split("\n\n") if part.strip()]
    parts = [
        f'<section id="part-{number}">',
        f"<h2>{escape(section.heading)}</h2>",
        *paragraphs,
        _figures(number, section),
        table_html(section.table, section.best) if section.table is not None else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _listed(figure: "Figure | Sequence[Figure] | None") -> "list[Figure]":
    if figure is None:
        return []
    return list(figure) if isinstance(figure, Sequence) else [figure]


def _figures(number: int, section: Section) -> str:
    """Return the places of the figures, each under its title as text, where it wraps instead of being cut."""
    figures = _listed(section.figure)
    if not figures:
        return ""
    # A title is already escaped for plotly, which reads the same entities as HTML.
    titles = [one.layout.title.text or "" for one in figures]
    titles = [f'<p class="title">{_bound(title)}</p>' if title else "" for title in titles]
    places = "".join(
        f'<div>{title}<div id="figure-{number}-{n}" style="height:{one.layout.height or 400}px"></div></div>'
        for n, (one, title) in enumerate(zip(figures, titles, strict=True), 1)
    )
    readings = dict.fromkeys((one.layout.meta or {}).get("reading", "") for one in figures)
    captions = "".join(f"<figcaption>{_prose(reading)}</figcaption>" for reading in readings if reading)
    width = {1: "one", 2: "wide", 4: "wide"}.get(len(figures), "small")
    return f'<figure><div class="grid {width}">{places}</div>{captions}</figure>'


def _scripts(sections: Sequence[Section]) -> str:
    """Return plotly's script and its calls; they follow the page, when each place has its width."""
    from plotly import graph_objects as go
    from plotly.offline import get_plotlyjs

    calls = []
    for number, section in enumerate(sections, 1):
        for n, one in enumerate(_listed(section.figure), 1):
            figure = go.Figure(one)
            figure.layout.title.text = None
            # plotly writes its JSON without < and >, so nothing in it can end the script.
            calls.append(f'Plotly.newPlot("figure-{number}-{n}", Object.assign({figure.to_json()}, {CONFIG}));')
    if not calls:
        return ""
    return f"<script>{get_plotlyjs()}</script>\n<script>\n{chr(10).join(calls)}\n</script>"


def table_html(table: "pd.DataFrame", best: Mapping[str, str] | None = None) -> str:
    """Return ``table`` as HTML; in the columns of ``best`` the 'low' or the 'high' value is bold.

    An index that only counts the rows is left out. Raises ConfigError if ``best`` names a column that is not
    there, or another direction.
    """
    counted = table.index.name is None and list(table.index) == list(range(len(table)))
    frame = table if counted else table.rename_axis(table.index.names if any(table.index.names) else "").reset_index()
    heads = 0 if counted else table.index.nlevels
    columns = [frame.iloc[:, n] for n in range(frame.shape[1])]
    bold = _winners({str(name): column for name, column in zip(frame.columns, columns, strict=True)}, best or {})
    aligned = [' class="number"' if column.dtype.kind in "iuf" else "" for column in columns]
    names = _texts(frame.columns)
    head = "".join(f"<th{align}>{name}</th>" for name, align in zip(names, aligned, strict=True))
    cells = [
        _column(_texts(c), bold.get(str(c.name), ()), align, n < heads)
        for n, (c, align) in enumerate(zip(columns, aligned, strict=True))
    ]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    return f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _column(texts: Sequence[str], bold: Collection[int], align: str, head: bool) -> list[str]:
    marked = [f"<strong>{text}</strong>" if n in bold else text for n, text in enumerate(texts)]
    return [f'<th scope="row"{align}>{text}</th>' if head else f"<td{align}>{text}</td>" for text in marked]


def _winners(columns: Mapping[str, "pd.Series"], best: Mapping[str, str]) -> dict[str, set[int]]:
    """Return the rows that hold the best value of each column in ``best``."""
    found = {}
    for name, side in best.items():
        values = pick(columns, name, "column").to_numpy(dtype=float, na_value=np.nan)
        sign = pick({"low": 1.0, "high": -1.0}, side, "direction of the best value")
        scores = np.where(np.isnan(values), np.inf, sign * values)
        best_score = scores.min(initial=np.inf)
        found[name] = {n for n, score in enumerate(scores) if score == best_score < np.inf}
    return found


def _texts(values: "pd.Series | pd.Index") -> list[str]:
    """Return one column as people write it, escaped: numbers with the same decimals, days without a clock."""
    missing = np.asarray(values.isna())
    if values.dtype.kind in "iuf":
        numbers = [None if gone else value for value, gone in zip(values.tolist(), missing, strict=True)]
        return [typeset(text) for text in column(numbers)]
    known = iter(_known_texts(values[~missing]))
    return [NOTHING if gone else next(known) for gone in missing]


def _known_texts(values: "pd.Series | pd.Index") -> list[str]:
    if values.dtype.kind == "M":
        return [escape(text) for text in texts_of(values)]
    return [_loose(value) for value in values]


def typeset(number: str) -> str:
    """Return a number as print has it: a narrow space between thousands, read alike in every language, and a minus."""
    return number.replace(",", "\u202f").replace("-", "−")


def _loose(value: Any) -> str:
    """Return a single value of whatever kind, escaped."""
    if value is None or value is True or value is False:
        return {None: NOTHING, True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return typeset(f"{value:.10g}")
    if isinstance(value, (list, tuple)):
        return ", ".join(_loose(part) for part in value) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(name))}: {_loose(part)}" for name, part in value.items()) or NOTHING
    return escape(str(value))


def _settings(settings: Mapping[str, Mapping[str, Any]]) -> str:
    if not settings:
        return ""
    parts = "".join(
        f"<div><h3>{escape(part)}</h3><dl>"
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{_loose(value)}</dd></div>" for name, value in values.items())
        + "</dl></div>"
        for part, values in settings.items()
    )
    return f'<details><summary>Settings</summary><div class="settings">{parts}</div></details>'
