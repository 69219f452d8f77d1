"""Linear models of what is in a text: naive Bayes, and support vector machines.

Shapes: N texts, F features, K classes.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import Baseline, Prepared
from ..cases.baselines import not_held_out
from ..cases.classes import codes_of, labels_of
from ..cases.examples import CaseExamples
from ..cases.text import TextReading
from .answers import Guess
from .learned import ClassifyLearned
from .sharpness import log_softmax, sharpness_and_shift, sharpness_of

BAYES, SVM, GRAMS = "naive Bayes", "linear SVM", "n-gram SVM"  # the rows of the table
LONGEST = {"words": 2, "sentencepiece": 2, "characters": 4}  # tokens in a row that are one feature
WORDS, LETTERS = 3, 5  # words and characters in a row that are one feature of the n-gram machine
MOST_LETTERS = 5_000_000  # characters of all texts, above which it reads words alone
START, END, BETWEEN = "\x02", "\x03", "\x1f"  # marks of where a text starts and ends, and of what is in a row
FOLDS = 5  # in which texts are answered by weights that were found without them
NEVER = -1e3  # the score of a class that was not there in training


class Linear(Baseline):
    """``softmax(W x + b)``, x the features of a text: tokens and pairs of them, of characters up to four in a row.

    What was said of validation texts, each by weights that were found without it, is kept until it is saved.
    """

    naive = False
    grams: np.ndarray  # (F,) the features
    weights: np.ndarray  # (F, K)
    bias: np.ndarray  # (K,)
    validated: tuple[np.ndarray, np.ndarray] | None = None  # numbers of validation texts, their log probabilities

    def __init__(self, learned: ClassifyLearned):
        assert isinstance(learned.reading, TextReading)
        self.reading, self.classes = learned.reading, learned.classes

    def fit(self, prepared: Prepared) -> None:
        """Learn from all texts that are not held out."""
        from sklearn.model_selection import KFold

        cases = not_held_out(prepared)
        codes = codes_of(labels_of(cases, "to learn from"), self.classes)
        x = self.seen(cases.texts)
        left_out, there = np.zeros((len(codes), len(self.classes))), np.zeros(len(codes), bool)
        folds = KFold(min(FOLDS, len(codes)), shuffle=True, random_state=0)
        for train, rest in folds.split(x):
            weights, bias = self.learn(x[train], codes[train])
            left_out[rest] = x[rest] @ weights + bias
            there[rest] = np.isin(codes[rest], codes[train])  # of a class without another case nothing can be said
        there |= not there.any()
        sharpness, shift = self.calibrated(left_out[there], codes[there])
        late = left_out[len(prepared.plan.train) :]
        self.validated = np.arange(len(late)), log_softmax(sharpness * late + shift)
        weights, bias = self.learn(x, codes)
        self.weights, self.bias = (sharpness * weights).astype(np.float32), sharpness * bias + shift

    def seen(self, texts: Sequence[str]) -> Any:
        """Find the features of the training texts; return how much each text has of them (N, F), a sparse matrix."""
        vectors = self.vectors()
        x = vectors.fit_transform(texts)
        self.grams = np.array(vectors.get_feature_names_out(), dtype=object)
        return x

    @abstractmethod
    def learn(self, x: Any, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights (F, K) and the bias (K,) for features ``x`` (N, F), a sparse matrix, and classes (N,)."""

    def calibrated(self, left_out: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """Return what scores are multiplied by, and what is then added to them (K,), to make log probabilities of them.

        They are found by the scores ``left_out`` (N, K) of texts, by weights that were found without these.
        """
        return sharpness_of(left_out, codes), np.zeros(left_out.shape[1])

    @abstractmethod
    def vectors(self, known: Any = None) -> Any:
        """Return what turns texts into features, only the ``known`` ones if given."""

    def features(self, text: str) -> Iterable[str]:
        """Yield the features of a text."""
        reading = self.reading
        tokens = [reading.known(token) for token in reading.tokens(text)]
        yield from in_a_row(tokens, LONGEST[reading.kind])

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the classes and their probabilities."""
        logs = log_softmax(np.asarray(self.counted(examples.cases.texts) @ self.weights, float) + self.bias)
        return Guess(logs.argmax(1), logs)

    def counted(self, texts: Iterable[str]) -> Any:
        """Return the features (N, F) of ``texts``, a sparse matrix."""
        return self.vectors(self.grams).transform(texts)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return features and weights; features as one text, as they are of any length."""
        text = np.frombuffer("\x1e".join(self.grams).encode("utf-8", "replace"), np.uint8).copy()
        return {"grams": text, "weights": self.weights, "bias": self.bias}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back features and weights."""
        self.grams = np.array(arrays["grams"].tobytes().decode().split("\x1e"), dtype=object)
        self.weights, self.bias = arrays["weights"], arrays["bias"]


def in_a_row(tokens: Sequence[str], most: int) -> Iterator[str]:
    """Yield all that stands in a row in ``tokens``, up to so ``most`` of them."""
    for size in range(1, most + 1):
        yield from (BETWEEN.join(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


class NaiveBayes(Linear):
    """Multinomial naive Bayes, each feature counted once in a text.

    It takes features for independent, which they are not, and would be far too sure: its answers are as sharp as those
    on texts left out allow.
    """

    def vectors(self, known: Any = None) -> Any:
        """Return what finds out which features a text has."""
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(analyzer=self.features, binary=True, vocabulary=known)

    def learn(self, x: Any, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count."""
        from sklearn.naive_bayes import MultinomialNB

        model = MultinomialNB().fit(x, codes)
        weights, bias = np.zeros((x.shape[1], len(self.classes))), np.full(len(self.classes), NEVER)
        weights[:, model.classes_], bias[model.classes_] = model.feature_log_prob_.T, model.class_log_prior_
        return weights, bias


class SupportVectors(Linear):
    """A linear support vector machine on TF-IDF, its answers as sharp as those on texts left out allow."""

    idf: np.ndarray  # (F,)

    def vectors(self, known: Any = None) -> Any:
        """Return what weighs the features of a text by how rare they are."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        made = TfidfVectorizer(analyzer=self.features, sublinear_tf=True, vocabulary=known)
        if known is not None:
            made.idf_ = self.idf
        return made

    def seen(self, texts: Sequence[str]) -> Any:
        """Find out how rare the features are, too."""
        vectors = self.vectors()
        x = vectors.fit_transform(texts)
        self.grams, self.idf = np.array(vectors.get_feature_names_out(), dtype=object), vectors.idf_
        return x

    def learn(self, x: Any, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the widest margin."""
        from sklearn.svm import LinearSVC

        weights, bias = np.zeros((x.shape[1], len(self.classes))), np.full(len(self.classes), -10.0)
        if len(np.unique(codes)) == 1:
            bias[codes[0]] = 10.0
            return weights, bias
        model = LinearSVC(random_state=0).fit(x, codes)
        two = len(model.classes_) == 2
        weights[:, model.classes_] = np.concatenate([-model.coef_, model.coef_]).T if two else model.coef_.T
        bias[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) if two else model.intercept_
        return weights, bias

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return how rare each feature is, too."""
        return super().to_arrays() | {"idf": self.idf}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back how rare each feature is, too."""
        super().from_arrays(arrays)
        self.idf = arrays["idf"]


class GramVectors(SupportVectors):
    """The same machine on more: up to three words in a row, and up to five characters, with the ends of the text.

    What there is of words and what there is of characters is brought to length one, each for itself. Where all texts
    together are long, it reads words alone: characters would take minutes, and say little more of so much.
    A rare class it would name too rarely: as far as texts left out say so, its scores are shifted.
    """

    letters = True  # whether it reads characters beside words

    def seen(self, texts: Sequence[str]) -> Any:
        """Find the features of the training texts, those of characters only if that is soon done."""
        self.letters = self.reading.kind == "characters" or sum(map(len, texts)) <= MOST_LETTERS
        if not self.letters:
            self.notes = (f"to save time, the row '{GRAMS}' reads words alone, and no characters",)
        return self.evened(super().seen(texts))

    def calibrated(self, left_out: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the sharpness and the shift that give most to the true classes."""
        return sharpness_and_shift(left_out, codes)

    def features(self, text: str) -> Iterator[str]:
        """Yield the features of a text; those of words begin with a mark."""
        reading, tokens = self.reading, self.reading.tokens(text)
        known = [reading.known(token) for token in tokens]
        if reading.kind == "characters":
            yield from in_a_row([START, *known, END], LETTERS)
            return
        yield from (BETWEEN + gram for gram in in_a_row(known, WORDS))
        if self.letters:
            read = " ".join(text[: tokens[-1].end].split())
            read = START + (read.lower() if reading.lowercase else read) + END
            for size in range(1, LETTERS + 1):
                yield from (read[at : at + size] for at in range(len(read) - size + 1))

    def vectors(self, known: Any = None) -> Any:
        """Return what weighs the features of a text by how rare they are, whatever its length."""
        return super().vectors(known).set_params(norm=None)

    def counted(self, texts: Iterable[str]) -> Any:
        """Return the features (N, F) of ``texts``, a sparse matrix."""
        return self.evened(super().counted(texts))

    def evened(self, x: Any) -> Any:
        """Return ``x`` (N, F), the words of every text divided by their length as a vector, and so its characters."""
        of_words = np.array([gram.startswith(BETWEEN) for gram in self.grams])
        squares = x.multiply(x)
        lengths = np.sqrt(np.stack([squares @ ~of_words, squares @ of_words]))
        of_text = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
        x.data /= lengths[of_words[x.indices].astype(int), of_text]
        return x

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what it knows, and so whether it reads characters."""
        super().from_arrays(arrays)
        self.letters = not all(gram.startswith(BETWEEN) for gram in self.grams)
