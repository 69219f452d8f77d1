"""What costs next to nothing: to say what was read again, and what was said of the most similar text.

Shapes: N pairs, Q texts that are asked about.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...data.text.sentences import sentences
from ..base import Baseline, Prepared
from ..cases.reading import resampled
from .examples import PairExamples
from .pairs import Pairs

COPY, NEAREST, FIRST = "copy source", "nearest pair", "first sentence"  # the rows of the table
COMMON, COMMONEST = "sentence in common", "commonest answer"
SHORT = 2  # letters of a word that does not count where words in common are counted
MOST = 100_000  # pairs that are kept; of more those that lie evenly among all
FEATURES = 200_000  # words, and as many runs of characters, that texts are compared by
WORD = r"[\u2e80-\u9fff]|[^\W\u2e80-\u9fff]+|[^\w\s]"  # Chinese and Japanese characters one by one
CHARACTERS = (3, 4)  # in a run
STEPS = 16  # to which sequences are stretched or shortened to be compared
NUMBERS = 50_000_000  # of all sequences that are kept, 200 MB
TOGETHER = 200  # texts that are compared with all pairs at a time: so many rows of similarities are in memory


class Copy(Baseline):
    """It answers with what it reads: right where little has to be changed."""

    def answer(self, examples: PairExamples) -> list[str]:
        """Return the texts themselves."""
        return list(examples.sources)


class Lead(Baseline):
    """It answers with the first sentence of what it reads, which mostly says what a text is about (lead-1)."""

    def answer(self, examples: PairExamples) -> list[str]:
        """Return the first sentences."""
        found = ((text, sentences(text)) for text in examples.sources)
        return [text[some[0][0] : some[0][1]] if some else text for text, some in found]


class InCommon(Baseline):
    """It answers with the sentence of the passage that has most words in common with the question; of equals the first.

    Words of two letters and less do not count.
    """

    def answer(self, examples: PairExamples) -> list[str]:
        """Return the sentences."""
        return [_in_common(*both) for both in zip(examples.sources, examples.passages or (), strict=True)]


def _in_common(question: str, passage: str) -> str:
    asked = _words(question)
    every = [passage[begin:end] for begin, end in sentences(passage)] or [passage]
    return max(every, key=lambda sentence: len(asked & _words(sentence)))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(WORD, text.casefold()) if len(word) > SHORT or not word.isascii()}


class Commonest(Baseline):
    """It gives the answer that is right most often in the training, to whatever is asked."""

    said: str = ""

    def fit(self, prepared: Prepared) -> None:
        """Count the answers that are not held out."""
        pairs: Pairs = prepared.data
        kept = pairs.part(np.concatenate([prepared.plan.train, prepared.plan.valid]))
        ((self.said, _),) = Counter(kept.targets or ("",)).most_common(1)

    def answer(self, examples: PairExamples) -> list[str]:
        """Return it for each question."""
        return [self.said] * len(examples)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the answer."""
        return _packed([self.said])

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take it back."""
        (self.said,) = _unpacked(arrays)


class Nearest(Baseline):
    """It answers as the most similar text of the training was answered.

    Texts are as similar as their words and runs of characters: the cosine of their frequencies, each weighed by how
    few texts have it (TF-IDF), both alike. It is not trained, so it counts as naive. A run keeps the pairs, and counts
    again when it answers.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seen: "tuple[list[Any], Any] | None" = None  # what counts, and what it counted in the sources (N, F)

    def fit(self, prepared: Prepared) -> None:
        """Keep the pairs that are not held out."""
        pairs: Pairs = prepared.data
        places = np.concatenate([prepared.plan.train, prepared.plan.valid])
        kept = pairs.part(places[:: -(-len(places) // MOST)])
        assert kept.targets is not None
        self.sources, self.targets, self.seen = kept.sources, kept.targets, None

    def answer(self, examples: PairExamples) -> list[str]:
        """Return the target of the most similar pair for each text; of equals the first."""
        counters, known = self.seen = self.seen or _counted(self.sources)
        found: list[str] = []
        for begin in range(0, len(examples.sources), TOGETHER):
            asked = _features(counters, examples.sources[begin : begin + TOGETHER])
            nearest = np.asarray((asked @ known).argmax(1)).ravel()
            found += [self.targets[place] for place in nearest]
        return found

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the pairs."""
        return _packed((*self.sources, *self.targets))

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the pairs back."""
        texts = _unpacked(arrays)
        half = len(texts) // 2
        self.sources, self.targets, self.seen = tuple(texts[:half]), tuple(texts[half:]), None


class NearestSequence(Baseline):
    """It answers as the most similar sequence of the training was answered, of those that are no texts.

    All are stretched to the same few steps, pictures being one step each, and their distance is Euclid's. It is not
    trained, so it counts as naive.
    """

    targets: tuple[str, ...] = ()
    points: np.ndarray  # (N, steps · C)

    def fit(self, prepared: Prepared) -> None:
        """Keep the pairs that are not held out."""
        pairs: Pairs = prepared.data
        places = np.concatenate([prepared.plan.train, prepared.plan.valid])
        assert pairs.cases is not None
        steps = min(STEPS, int(pairs.cases.lengths.max()))
        most = min(MOST, max(1, NUMBERS // (steps * len(pairs.cases.channels))))
        kept = pairs.part(places[:: -(-len(places) // most)])
        assert kept.targets is not None
        self.targets, self.points = kept.targets, _points(PairExamples.of(kept, prepared.learned), steps)

    def answer(self, examples: PairExamples) -> list[str]:
        """Return the target of the most similar sequence for each; of equals the first."""
        own = (self.points**2).sum(1)
        asked = _points(examples, self.points.shape[1] // examples.read.numbers.shape[1])
        found: list[str] = []
        for begin in range(0, len(asked), TOGETHER):
            away = own - 2 * asked[begin : begin + TOGETHER] @ self.points.T
            found += [self.targets[place] for place in away.argmin(1)]
        return found

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the sequences, and their targets as one text with where each ends."""
        return {"points": self.points, **_packed(self.targets)}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the sequences back."""
        self.points, self.targets = arrays["points"], tuple(_unpacked(arrays))


def _points(examples: PairExamples, steps: int) -> np.ndarray:
    """Return each sequence as a point (N, steps · C), float32."""
    rows = [resampled(examples.read.row(n), steps).ravel() for n in range(len(examples))]
    return np.stack(rows).astype(np.float32)


def _packed(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return all texts as one, and where each ends."""
    pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    return {"texts": np.frombuffer(b"".join(pieces), np.uint8).copy(), "ends": ends}


def _unpacked(arrays: Mapping[str, np.ndarray]) -> list[str]:
    content, ends = arrays["texts"].tobytes(), arrays["ends"].tolist()
    pieces = (content[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True))
    return [piece.decode("utf-8", "surrogatepass") for piece in pieces]


def _counted(sources: Sequence[str]) -> tuple[list[Any], Any]:
    """Return what counts words and runs of characters, and what they are in ``sources``, (F, N), a sparse matrix."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    options: dict[str, Any] = {"sublinear_tf": True, "max_features": FEATURES, "dtype": np.float32}
    counters = [
        TfidfVectorizer(analyzer="word", token_pattern=WORD, **options),
        TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **options),
    ]
    return counters, hstack([one.fit_transform(sources) for one in counters]).T.tocsr()


def _features(counters: Sequence[Any], texts: Sequence[str]) -> Any:
    """Return what is in ``texts`` (Q, F), a sparse matrix."""
    from scipy.sparse import hstack

    return hstack([one.transform(texts) for one in counters]).tocsr()


def make_baselines(summaries: bool = False, texts: bool = True) -> dict[str, Baseline]:
    """Return the rows that stand beside a network that reads ``texts``, or sequences of numbers."""
    if not texts:
        return {NEAREST: NearestSequence()}
    rows: dict[str, Baseline] = {NEAREST: Nearest(), COPY: Copy()}
    return rows | {FIRST: Lead()} if summaries else rows


def question_baselines() -> dict[str, Baseline]:
    """Return the rows that stand beside a network that answers questions about passages."""
    return {COMMON: InCommon(), COMMONEST: Commonest(), NEAREST: Nearest()}
