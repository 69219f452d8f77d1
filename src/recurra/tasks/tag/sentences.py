"""What a report shows of sentences: their words with what they are called, and which entities were confused.

Shapes: n tokens of all sentences, m entities, K labels, E types of entities.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...report.canvas import COLOURS, tint
from ...report.marked import Labelled, Marked, Piece
from ...report.page import Section
from ...writing.numbers import percent
from ..base import Fitted, Judged
from ..cases.confusion import confusion
from ..cases.figures import confusion_figure
from .answers import Said, Truth
from .examples import TagExamples
from .learned import TagLearned
from .marks import by_case
from .metrics import f1_by_label
from .schemes import Entities, begins_of, entities
from .spans import Spans, spans_in, sureness

WORST = 10  # sentences that are shown
SHADE = 0.35  # of the colour behind a word
NOTHING = "nothing"


def middle_and_worst(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return a sentence from the middle, and those with the largest share of wrong words."""
    truth, said = judged.exam.truth, judged.answers[judged.name]
    statistics = judged.statistics[judged.name]
    wrong = statistics["steps"] - statistics["right"]
    order = np.lexsort((-statistics["steps"], wrong / np.maximum(statistics["steps"], 1)))
    middle = int(order[len(order) // 2])
    worst = [int(n) for n in order[::-1][:WORST] if wrong[n] and n != middle]
    text = "Of the sentences that the model had not seen, half were labelled no better than this one."
    sections = [Section("A sentence from the middle", text, marked=shown(fitted, judged, truth, said, [middle]))]
    if worst:
        text = "The sentences of which it named the smallest share of words rightly, the worst first."
        if fitted.learned.scheme is not None:
            text += " A number is how sure it is of an entity."
        heading = f"The {len(worst)} worst sentences" if len(worst) > 1 else "The worst sentence"
        sections.append(Section(heading, text, marked=shown(fitted, judged, truth, said, worst)))
    return sections


def shown(fitted: Fitted, judged: Judged, truth: Truth, said: Said, places: Sequence[int]) -> list[Marked]:
    """Return the sentences at these ``places`` with what they are, and what they were called if that is another."""
    examples = judged.exam.examples
    assert isinstance(examples, TagExamples)
    learned, cases = fitted.learned, examples.cases.some(places)
    every = by_case(np.arange(len(truth.codes)), truth.lengths)
    rows = np.concatenate([every[place] for place in places])
    own = Said(said.codes[rows], None if said.log_probabilities is None else said.log_probabilities[rows])
    true = truth.codes[rows]
    right = by_case(true == own.codes, cases.lengths)
    as_true = _lines(cases, learned, "true", true, None)
    as_said = _lines(cases, learned, "said", own.codes, _sure(fitted, cases, own))
    return [
        Marked(_title(name, one), (Labelled("true and said", more.shown),) if one.all() else (first, more))
        for name, one, first, more in zip(cases.names, right, as_true, as_said, strict=True)
    ]


def _title(name: str, right: np.ndarray) -> str:
    return f"Sentence {name}: {percent(float(right.mean()))} of its words named rightly"


def _sure(fitted: Fitted, cases: Cases, said: Said) -> np.ndarray | None:
    """Return how sure the model is of each entity that it named; None where labels say nothing of entities."""
    if fitted.learned.scheme is None or said.log_probabilities is None:
        return None
    return sureness(fitted, cases, spans_in(cases, fitted.learned, said), said)


def _lines(cases: Cases, learned: TagLearned, name: str, codes: np.ndarray, sure: np.ndarray | None) -> list[Labelled]:
    if learned.scheme is None:
        return [
            Labelled(name, _words(sentence.text, sentence.tokens, own, learned))
            for sentence, own in zip(cases.sentences or (), by_case(codes, cases.lengths), strict=True)
        ]
    found = entities(_without_gaps(codes, learned), begins_of(cases.lengths), learned.classes, learned.scheme)
    table = Spans(cases, learned, found, np.full(len(found.first), np.nan) if sure is None else sure).frame()
    return [
        Labelled(name, _parts(text, table[table["case"] == case], learned))
        for case, text in zip(cases.names, cases.texts, strict=True)
    ]


def _without_gaps(codes: np.ndarray, learned: TagLearned) -> np.ndarray:
    """Return ``codes`` with what is not known as the label that says nothing, or the most frequent one."""
    plain = learned.classes.index("O") if "O" in learned.classes else int(np.argmax(learned.counts))
    return np.where(codes < 0, plain, codes)


def _words(text: str, tokens: Sequence, codes: np.ndarray, learned: TagLearned) -> list[Piece]:
    pieces, end = [], 0
    for token, code in zip(tokens, codes.tolist(), strict=True):
        label = learned.classes[code] if code >= 0 else "?"
        pieces += [Piece(text[end : token.start]), Piece(token.text, colour_of(code), label)]
        end = token.end
    return pieces


def _parts(text: str, spans: pd.DataFrame, learned: TagLearned) -> list[Piece]:
    assert learned.scheme is not None
    types = learned.scheme.types(learned.classes)
    pieces, end = [], 0
    for start, stop, label, p in spans[["start", "end", "label", "p"]].itertuples(index=False):
        said = label if np.isnan(p) else f"{label} {100 * p:.0f} %".strip()
        pieces += [Piece(text[end:start]), Piece(text[start:stop], colour_of(types.index(label)), said)]
        end = stop
    return [*pieces, Piece(text[end:])]


def colour_of(number: int) -> str:
    """Return the colour behind what has a label or type of this number."""
    return "" if number < 0 else tint(COLOURS[number % len(COLOURS)], SHADE)


def entity_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return which types of entities were confused, and how good each type is."""
    learned = fitted.learned
    types = learned.scheme.types(learned.classes)
    truth, said = judged.exam.truth, judged.answers[judged.name]
    known = truth.codes >= 0
    begins = begins_of(truth.lengths)
    codes = np.where(known, truth.codes, _without_gaps(truth.codes, learned))
    named = np.where(known, said.codes, codes)
    pair = [entities(one, begins, learned.classes, learned.scheme) for one in (codes, named)]
    table = confused(pair[0], pair[1], len(types))
    figure = confusion_figure(table, (*types, NOTHING))
    return [Section("Which entities were confused", _worst(table, types), figure), _type_table(judged, types)]


def confused(true: Entities, named: Entities, types: int) -> np.ndarray:
    """Return how often an entity of each type (row) was called each type (column): (E + 1, E + 1), the last nothing.

    An entity was called what the named one is that shares most tokens with it.
    """
    table, met = np.zeros((types + 1, types + 1), np.int64), np.zeros(len(named.first), bool)
    for first, behind, kind in zip(*(part.tolist() for part in true), strict=True):
        shared = np.minimum(named.behind, behind) - np.maximum(named.first, first)
        best = int(np.argmax(shared)) if len(shared) else -1
        found = best >= 0 and shared[best] > 0
        table[kind, named.kind[best] if found else types] += 1
        met |= shared > 0
    for kind in named.kind[~met].tolist():
        table[types, kind] += 1
    return table


def _worst(table: np.ndarray, types: Sequence[str]) -> str:
    wrong = table - np.diag(np.diag(table))
    rule = "An entity was called what the named one is that shares most words with it; it may begin or end elsewhere."
    if not wrong.any():
        return f"Nothing was confused. {rule}"
    i, j = (int(place) for place in np.unravel_index(int(wrong.argmax()), wrong.shape))
    most = f"{int(wrong[i, j]):,} times" if wrong[i, j] > 1 else "once"
    if j == len(types):
        return f"Most often '{types[i]}' was not seen, {most}. {rule}"
    if i == len(types):
        return f"Most often '{types[j]}' was seen where there is nothing, {most}. {rule}"
    return f"Most often '{types[i]}' was called '{types[j]}', {most}. {rule}"


def _type_table(judged: Judged, types: Sequence[str]) -> Section:
    statistics = judged.statistics[judged.name]
    hits, true, named = (statistics[name].sum(0) for name in ("span_hits", "true_spans", "named_spans"))
    columns = {
        "entities": true.astype(int),
        "named": named.astype(int),
        "% precision": 100 * np.divide(hits, named, out=np.full(len(hits), np.nan), where=named > 0),
        "% recall": 100 * np.divide(hits, true, out=np.full(len(hits), np.nan), where=true > 0),
        "% F1": 100 * f1_by_label(statistics, "span_hits", "true_spans", "named_spans"),
    }
    text = (
        "An entity counts as found if its first word, its last word and its type are right. Precision is how many of "
        "the named ones are; recall how many of those that are were named; F1 lies between the two."
    )
    return Section("Type by type", text, table=pd.DataFrame(columns, index=pd.Index(types, name="type")), own=("rows",))


def intent_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return which intents were confused, if there are any."""
    truth, said = judged.exam.truth.wholes, judged.answers[judged.name].wholes
    if truth is None or said is None:
        return []
    known, intents = truth >= 0, fitted.learned.intents
    table = confusion(truth[known], said.argmax(1)[known], len(intents))
    right = percent(float(np.diag(table).sum() / max(1, table.sum())))
    text = f"What each sentence is as a whole; {right} were named rightly."
    return [Section("Intents", text, confusion_figure(table, intents))]
