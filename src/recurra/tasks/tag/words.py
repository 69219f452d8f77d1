"""Labels of words that cost little: what each word usually is, and a regression on words and how they are written.

Shapes: R tokens of all sentences, F features of a token, D numbers that features are hashed to, K labels.
"""

import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...data.text import Token
from ..base import Baseline, Prepared
from ..cases.baselines import Shares, not_held_out
from .answers import Said
from .examples import TagExamples
from .learned import TagLearned
from .marks import numbers_of

BUCKETS = 2**16  # D
MOST = 150_000  # tokens that the regression learns from
NEVER = -30.0  # the logarithm of the share of a label that a word never had
LONGEST = 4  # letters of a beginning or an end of a word
AROUND = (-2, -1, 1, 2)  # neighbours


class Memory(Shares):
    """The most frequent label of each word in the training; of other words, that of words which were there once."""

    words: dict[str, int]  # the row of each in what follows
    counts: np.ndarray  # (1 + words, K); the first row is that of words that were there once

    def fit(self, prepared: Prepared) -> None:
        """Count the labels of every word."""
        super().fit(prepared)
        cases, classes = not_held_out(prepared), prepared.learned.classes
        assert cases.marks is not None
        codes = numbers_of(cases.marks, classes)
        tokens = [token.text for sentence in cases.sentences or () for token in sentence.tokens]
        self.words = {word: n for n, word in enumerate(dict.fromkeys(tokens), 1)}
        rows = np.array([self.words[word] for word in tokens])
        counts = np.zeros((1 + len(self.words), len(classes)))
        np.add.at(counts, (rows[codes >= 0], codes[codes >= 0]), 1.0)
        once = counts[1:].sum(1) == 1
        counts[0] = counts[1:][once].sum(0) if once.any() else counts.sum(0)
        self.counts = counts

    def answer(self, examples: TagExamples) -> Said:
        """Return the usual label of every word."""
        tokens = [token.text for sentence in examples.cases.sentences or () for token in sentence.tokens]
        counts = self.counts[[self.words.get(word, 0) for word in tokens]] + 0.01 * self.shares
        logs = np.log(np.maximum(counts / counts.sum(1, keepdims=True), np.exp(NEVER)))
        return Said(logs.argmax(1), logs)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the words, as the bytes of a text with a word in each line, and their counts."""
        text = np.frombuffer("\n".join(self.words).encode("utf-8", "surrogatepass"), np.uint8).copy()
        return super().to_arrays() | {"words": text, "counts": self.counts.astype(np.float32)}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back words and counts."""
        super().from_arrays(arrays)
        words = arrays["words"].tobytes().decode("utf-8", "surrogatepass").split("\n")
        self.words, self.counts = {word: n for n, word in enumerate(words, 1)}, arrays["counts"].astype(float)


class WordRegression(Baseline):
    """Logistic regression on a word, its neighbours, its first and last letters and its shape: one against all others.

    Features are hashed (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206); it is fitted by stochastic gradient
    descent to 150,000 tokens at most.
    """

    naive = False
    weight: np.ndarray  # (K, D)
    bias: np.ndarray  # (K,)

    def __init__(self, learned: TagLearned):
        self.labels = len(learned.classes)

    def fit(self, prepared: Prepared) -> None:
        """Fit the regression to the training sentences."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import SGDClassifier

        cases = not_held_out(prepared)
        assert cases.marks is not None
        codes = numbers_of(cases.marks, prepared.learned.classes)
        known = np.flatnonzero(codes >= 0)[:MOST]
        found = np.unique(codes[known])
        self.weight, self.bias = np.zeros((self.labels, BUCKETS), np.float32), np.full(self.labels, NEVER)
        self.bias[found] = 0.0
        if len(found) < 2:
            return
        model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=8, tol=None, average=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near its end it is good enough
            model.fit(self._features([one.tokens for one in cases.sentences or ()])[known], codes[known])
        if len(found) == 2:  # one row of weights then, which says how much the second is ahead
            found = found[1:]
        self.weight[found], self.bias[found] = model.coef_, model.intercept_

    def answer(self, examples: TagExamples) -> Said:
        """Return the label of every token."""
        x = self._features([one.tokens for one in examples.cases.sentences or ()])
        scores = np.asarray(x @ self.weight.T, float) + self.bias
        # Each label by itself against all others; their odds are shared out.
        logs = -np.logaddexp(0.0, -scores)
        logs -= np.log(np.exp(logs).sum(1, keepdims=True))
        return Said(scores.argmax(1), logs)

    def _features(self, sentences: Sequence[Sequence[Token]]) -> Any:
        from scipy.sparse import csr_matrix

        rows = [hashed for tokens in sentences for hashed in features([token.text for token in tokens])]
        counts = np.array([len(row) for row in rows])
        columns = np.concatenate([np.array(row) for row in rows])
        places = np.concatenate([[0], np.cumsum(counts)])
        return csr_matrix((np.ones(len(columns), np.float32), columns, places), (len(rows), BUCKETS))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {"weight": self.weight, "bias": self.bias}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the weights."""
        self.weight, self.bias = arrays["weight"], arrays["bias"]


def features(words: Sequence[str]) -> list[list[int]]:
    """Return the numbers of the features of each of the ``words`` of a sentence."""
    own = [_own(word) for word in words]
    small = [word.lower() for word in words]
    rows = []
    for at, names in enumerate(own):
        near = [(step, at + step) for step in AROUND]
        beside = [f"{step}={small[place] if 0 <= place < len(words) else ''}" for step, place in near]
        ends = [
            f"{step}$={small[place][-3:] if 0 <= place < len(words) else ''}" for step, place in near if abs(step) == 1
        ]
        pair = [f"-1,0={small[at - 1] if at else ''},{small[at]}"]
        rows.append(
            [zlib.crc32(name.encode("utf-8", "surrogatepass")) % BUCKETS for name in (*names, *beside, *ends, *pair)]
        )
    return rows


def _own(word: str) -> list[str]:
    """Return what a word is by itself."""
    small = word.lower()
    parts = [f"^{small[:n]}" for n in range(1, LONGEST + 1)] + [f"${small[-n:]}" for n in range(1, LONGEST + 1)]
    return ["", f"w={small}", f"W={word}", f"s={shape(word)}", *parts]


def shape(word: str) -> str:
    """Return how a word is written: ``Xx`` for Paris, ``d-x`` for 3-year, equal letters in a row once."""
    found = ""
    for letter in word:
        kind = "d" if letter.isdigit() else "X" if letter.isupper() else "x" if letter.isalpha() else letter
        found += kind if found[-1:] != kind else ""
    return found
