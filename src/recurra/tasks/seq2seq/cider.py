"""How much captions say what others said of the same picture: CIDEr-D.

Shapes: N captions that are judged.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ...compare.metric import Metric, Statistics, ratio
from .metrics import Tokens, in_words
from .rouge import Cut

LONGEST = 4  # words in a row, at most
SIGMA = 6.0  # words by which a caption may be longer or shorter
SCALE = 1000  # as it is mostly written: ten times the similarity, in percent

Runs = tuple[Counter[tuple[str, ...]], ...]  # of one word to four, and how often each is said
Weighed = tuple[dict[tuple[str, ...], float], ...]


def cider_statistics(
    truth: Sequence[str], answers: Sequence[str], pictures: Sequence[str], tokens: Tokens
) -> Statistics:
    """Return CIDEr-D of each answer (N,), beside all right texts of its picture.

        1000/4 Σ_n mean_r exp(−(l(a) − l(r))² / 2σ²) · min(g_n(a), g_n(r)) · g_n(r) / (‖g_n(a)‖ ‖g_n(r)‖)

    g_n weighs each run of n words by ``log(pictures / pictures of which it is said)``, and l is the length. How rare a
    run is, is counted in the right texts of all ``pictures`` (N,) that are judged together, so the number of a
    case, unlike its BLEU, depends on which others there are. Vedantam et al. 2015, arXiv 1411.5726.
    """
    cut = Cut(characters=not in_words(tokens))
    said: dict[str, list[Runs]] = {}
    for picture, text in zip(pictures, truth, strict=True):
        said.setdefault(picture, []).append(_runs(cut.tokenize(text)))
    common: Counter[tuple[str, ...]] = Counter()
    for texts in said.values():
        common.update({run for runs in texts for counts in runs for run in counts})
    rare = {run: math.log(len(said) / count) for run, count in common.items()}
    right = {picture: [_weighed(runs, rare, len(said)) for runs in texts] for picture, texts in said.items()}
    known = {picture: [_length(runs) for runs in texts] for picture, texts in said.items()}
    scores = np.zeros(len(answers))
    for n, (picture, answer) in enumerate(zip(pictures, answers, strict=True)):
        runs = _runs(cut.tokenize(answer))
        weighed = _weighed(runs, rare, len(said))
        near = [
            _alike(weighed, one) * math.exp(-((_length(runs) - length) ** 2) / (2 * SIGMA**2))
            for one, length in zip(right[picture], known[picture], strict=True)
        ]
        scores[n] = SCALE * sum(near) / len(near)
    return {"cider": scores}


def cider_metric() -> Metric:
    """Return the metric, by which captions are mostly ranked."""
    said = (
        "CIDEr-D says how many runs of one to four words are those that were said of the same picture, rare ones "
        "counting more, 1000 for all"
    )
    return Metric("cider", "CIDEr-D", "high", ratio("cider", "cases"), said, points=True)


def _runs(words: Sequence[str]) -> Runs:
    return tuple(Counter(zip(*(words[at:] for at in range(n)), strict=False)) for n in range(1, LONGEST + 1))


def _length(runs: Runs) -> int:
    return sum(runs[1].values())  # of pairs of words, as the authors count


def _weighed(runs: Runs, rare: dict[tuple[str, ...], float], pictures: int) -> Weighed:
    most = math.log(pictures)  # of a run that nobody said
    return tuple({run: count * rare.get(run, most) for run, count in counts.items()} for counts in runs)


def _alike(answer: Weighed, right: Weighed) -> float:
    """Return the mean over runs of each length of their cosine, what is said too often being cut."""
    return sum(map(_cosine, answer, right)) / LONGEST


def _cosine(answer: dict[tuple[str, ...], float], right: dict[tuple[str, ...], float]) -> float:
    norms = _norm(answer.values()) * _norm(right.values())
    if not norms:
        return 0.0
    return sum(min(weight, right[run]) * right[run] for run, weight in answer.items() if run in right) / norms


def _norm(weights: Iterable[float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights))
