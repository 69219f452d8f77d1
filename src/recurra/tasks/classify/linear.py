"""Linear models of how often words are in a text: naive Bayes, and a support vector machine.

Shapes: N texts, F features, K classes.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..base import Baseline, Prepared
from ..cases.baselines import not_held_out
from ..cases.classes import codes_of, labels_of
from ..cases.examples import CaseExamples
from ..cases.text import TextReading
from .answers import Guess
from .convolutions import log_softmax, sharpness_of
from .learned import ClassifyLearned

BAYES, SVM = "naive Bayes", "linear SVM"  # the rows of the table
LONGEST = {"words": 2, "sentencepiece": 2, "characters": 4}  # tokens in a row that are one feature
FOLDS = 3  # in which the sharpness of the machine is found
NEVER = -1e3  # the score of a class that was not there in training


class Linear(Baseline):
    """``softmax(W x + b)``, x the features of a text: tokens and pairs of them, of characters up to four in a row."""

    naive = False
    grams: np.ndarray  # (F,) the features
    weights: np.ndarray  # (F, K)
    bias: np.ndarray  # (K,)

    def __init__(self, learned: ClassifyLearned):
        assert isinstance(learned.reading, TextReading)
        self.reading, self.classes = learned.reading, learned.classes

    def fit(self, prepared: Prepared) -> None:
        """Learn from all texts that are not held out."""
        cases = not_held_out(prepared)
        vectors = self.vectors()
        x = vectors.fit_transform(cases.texts)
        self.grams = np.array(vectors.get_feature_names_out(), dtype=object)
        codes = codes_of(labels_of(cases, "to learn from"), self.classes)
        self.weights = np.zeros((x.shape[1], len(self.classes)), np.float32)
        self.bias = np.full(len(self.classes), NEVER)
        self.learn(x, codes, vectors)

    @abstractmethod
    def learn(self, x: Any, codes: np.ndarray, vectors: Any) -> None:
        """Find the weights of features ``x`` (N, F), a sparse matrix, and classes (N,)."""

    @abstractmethod
    def vectors(self, known: Any = None) -> Any:
        """Return what turns texts into features, only the ``known`` ones if given."""

    def features(self, text: str) -> Iterable[str]:
        """Yield the features of a text."""
        reading = self.reading
        tokens = [reading.known(token) for token in reading.tokens(text)]
        for size in range(1, LONGEST[reading.kind] + 1):
            yield from ("\x1f".join(tokens[at : at + size]) for at in range(len(tokens) - size + 1))

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


class NaiveBayes(Linear):
    """Multinomial naive Bayes, each feature counted once in a text."""

    def vectors(self, known: Any = None) -> Any:
        """Return what finds out which features a text has."""
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(analyzer=self.features, binary=True, vocabulary=known)

    def learn(self, x: Any, codes: np.ndarray, vectors: Any) -> None:
        """Count."""
        from sklearn.naive_bayes import MultinomialNB

        model = MultinomialNB().fit(x, codes)
        self.weights[:, model.classes_] = model.feature_log_prob_.T
        self.bias[model.classes_] = model.class_log_prior_


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

    def learn(self, x: Any, codes: np.ndarray, vectors: Any) -> None:
        """Find the widest margin."""
        from sklearn.model_selection import KFold

        self.idf = vectors.idf_
        left_out = np.zeros((len(codes), len(self.classes)))
        folds = KFold(min(FOLDS, len(codes)), shuffle=True, random_state=0)
        for train, rest in folds.split(x):
            weights, bias = self._machine(x[train], codes[train])
            left_out[rest] = x[rest] @ weights + bias
        sharpness = sharpness_of(left_out, codes)
        weights, bias = self._machine(x, codes)
        self.weights, self.bias = (sharpness * weights).astype(np.float32), sharpness * bias

    def _machine(self, x: Any, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.svm import LinearSVC

        weights, bias = np.zeros((x.shape[1], len(self.classes))), np.full(len(self.classes), -10.0)
        if len(np.unique(codes)) == 1:
            bias[codes[0]] = 10.0
            return weights, bias
        model = LinearSVC().fit(x, codes)
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
