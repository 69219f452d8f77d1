"""What the training pairs teach besides the weights: the units of both sides."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data.text import UNKNOWN, Vocabulary
from ...data.text.cutter import Cutter, usual_level
from ...data.text.units import Level
from ...data.text.vocabulary import FIRST
from ...nn.prefixes import least_steps
from .metrics import Tokens, bleu_tokens
from .pairs import Pairs, digests
from .sequences import Sequences, are_pictures
from .settings import Seq2seqSettings
from .spans import closed_answers, spans_of

END = ""  # the unit behind every text; before an answer it stands, too
END_SHOWN = "⏎"
OFTEN = 20  # times that a word is said, on average, if there are few of them
SHORT = 24  # characters of a text that is read letter by letter, where the answer is a word or two
SPARE = 20  # units that an answer may have more than its text makes likely
FURTHER = 5  # times as long as those of the training an answer may be
MOST = 1_000  # units of an answer, if those of the training are short: where it looked at each step is in memory


@dataclass(frozen=True)
class Side:
    """How the texts of one side are cut, and the numbers of their units."""

    cutter: Cutter
    vocabulary: Vocabulary

    @classmethod
    def of(cls, texts: Sequence[str], level: Any, settings: Seq2seqSettings) -> "Side":
        """Learn the units of ``texts``."""
        cutter = Cutter.learned(texts, level or usual_level(texts), settings.vocabulary)
        every = (cutter.cut(text) for text in texts)
        learned = Vocabulary.of(every, settings.min_count, settings.vocabulary)
        return cls(cutter, Vocabulary((END, *learned.tokens)))

    @property
    def end(self) -> int:
        """The number of the unit that ends a text."""
        return FIRST

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.vocabulary)

    def encode(self, units: Sequence[str]) -> np.ndarray:
        """Return the numbers of ``units``, and of the end behind them (n + 1,), int64."""
        return self.vocabulary.encode([*units, END])

    def steps(self, length: int) -> int:
        """Return how many steps the encoder makes of so many units."""
        return length

    def shown(self, number: int) -> str:
        """Return the unit with this number."""
        return self.vocabulary.tokens[number - FIRST] if number > UNKNOWN else "<unk>"

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values, but for the model of pieces."""
        return {"level": self.cutter.level, "vocabulary": list(self.vocabulary.tokens)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], model: bytes | None) -> "Side":
        """Return what ``to_plain`` wrote."""
        return cls(Cutter(plain["level"], model), Vocabulary(tuple(plain["vocabulary"])))


@dataclass(frozen=True)
class Seq2seqLearned:
    """What is read, the units that are written, one and the same if they are shared, and how long answers are."""

    source: Side | Sequences
    target: Side
    ratio: float  # units of an answer for each of its text, of the longest answers
    longest: int  # units of those
    tokens: Tokens  # what BLEU counts in the answers
    rank: str  # the metric that ranks
    seen: np.ndarray = field(compare=False, repr=False)  # the digests of all texts of the training
    passages: bool = False  # whether sources are about passages
    decoder: str = field(default="attending", compare=False)  # what makes answers
    closed: tuple[str, ...] = ()  # of those that are pointed at the ones that no passage has

    @classmethod
    def of(cls, pairs: Pairs, settings: Seq2seqSettings) -> "Seq2seqLearned":
        """Learn from training pairs."""
        assert pairs.targets is not None
        source, target = _sides(pairs, pairs.targets, settings)
        tokens = settings.bleu_tokens or bleu_tokens(pairs.targets)
        seen = np.unique(digests(pairs.keys))
        sizes = _lengths(pairs, source, target)
        closed: tuple[str, ...] = ()
        if settings.decoder == "span":
            cut = target.cutter.cut
            both = zip(pairs.about, pairs.targets, strict=True)
            closed = closed_answers(pairs.targets, [bool(spans_of(cut(about), cut(said))) for about, said in both])
        made = cls(source, target, *sizes, tokens, settings.rank or "bleu", seen)
        decoder = settings.decoder or "attending"
        return replace(made, passages=pairs.passages is not None, decoder=decoder, closed=closed)

    @property
    def shared(self) -> bool:
        """Whether both sides are one."""
        return self.source is self.target

    @property
    def points(self) -> bool:
        """Whether answers are pointed at in passages."""
        return self.decoder == "span"

    @property
    def by_step(self) -> bool:
        """Whether every step that is read says a unit or none."""
        return self.decoder == "ctc"

    def most(self, length: int) -> int:
        """Return how many units an answer to a text of ``length`` units may have."""
        return min(math.ceil(2 * self.ratio * length) + SPARE, max(FURTHER * self.longest, MOST))

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        plain: dict[str, Any] = {}
        arrays = {"seen": self.seen}
        sides = {"source": self.source} if self.shared else {"source": self.source, "target": self.target}
        for name, side in sides.items():
            if isinstance(side, Sequences):
                plain["sequences"], scales = side.to_plain()
                arrays |= scales
                continue
            plain[name] = side.to_plain()
            if side.cutter.model is not None:
                arrays[f"{name}_pieces"] = np.frombuffer(side.cutter.model, np.uint8).copy()
        sizes = {"ratio": self.ratio, "longest": self.longest, "tokens": self.tokens, "rank": self.rank}
        asked = {"passages": self.passages, "decoder": self.decoder, "closed": list(self.closed)}
        return plain | sizes | asked, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Seq2seqLearned":
        """Return what ``to_plain`` wrote."""
        sides: list[Any] = [Sequences.from_plain(plain["sequences"], arrays)] if "sequences" in plain else []
        for name in ("source", "target"):
            model = arrays.get(f"{name}_pieces")
            if name in plain:
                sides.append(Side.from_plain(plain[name], None if model is None else model.tobytes()))
        lengths = plain["ratio"], plain["longest"]
        rank = plain.get("rank", "rouge" if plain.get("rouge") else "bleu")  # as runs of earlier versions have it
        asked: dict[str, Any] = {}
        if "decoder" in plain:  # which runs of earlier versions have not
            asked = {name: plain[name] for name in ("passages", "decoder")} | {"closed": tuple(plain["closed"])}
        return cls(sides[0], sides[-1], *lengths, plain["tokens"], rank, arrays["seen"], **asked)


def _sides(pairs: Pairs, targets: Sequence[str], settings: Seq2seqSettings) -> tuple[Side | Sequences, Side]:
    """Return how sources are read, and the units of answers."""
    if pairs.cases is not None:
        usual = _words(targets) if are_pictures(pairs.cases) else _spoken(targets, settings)
        target = Side.of(targets, settings.target_level or settings.level or usual, settings)
        least = [least_steps(target.cutter.cut(text)) for text in targets] if settings.decoder == "ctc" else None
        return Sequences.of(pairs.cases, settings, least), target
    level = settings.level or ("word" if has_strangers(settings) else _letters(pairs))
    if settings.shared or has_strangers(settings):
        both = Side.of([*pairs.texts(), *pairs.about, *targets], level, settings)
        return both, both
    source = Side.of([*pairs.texts(), *pairs.about], level, settings)
    return source, Side.of(targets, settings.target_level or level, settings)


def has_strangers(settings: Seq2seqSettings) -> bool:
    """Tell whether units that are not known are told apart in each text, as answers are taken from there."""
    return settings.copy or settings.decoder == "span"


def _spoken(targets: Sequence[str], settings: Seq2seqSettings) -> Level | None:
    """Return words where sequences are answered by the same few again and again, as digits and commands are.

    Else characters for CTC, whose pieces of words would each be too seldom heard.
    """
    words = [word for text in targets for word in text.split()]
    if len(words) >= OFTEN * len(set(words)):
        return "word"
    return "character" if settings.decoder == "ctc" else None


def _letters(pairs: Pairs) -> Level | None:
    """Return characters for both sides where short texts are answered by a word or two, as dates and spellings are."""
    assert pairs.targets is not None
    if pairs.passages is not None:
        return None
    lengths = sorted(map(len, pairs.sources))
    short = lengths[len(lengths) // 2] <= SHORT and bleu_tokens(pairs.targets) == "13a"
    return "character" if short and usual_level(pairs.targets) == "character" else None


def _words(captions: Sequence[str]) -> Level:
    """Return words where captions would be cut into pieces: those of a caption are few, and each has its place."""
    usual = usual_level(captions)
    return "word" if usual == "subword" else usual


def _lengths(pairs: Pairs, source: Side | Sequences, target: Side) -> tuple[float, int]:
    """Return how many units answers have for each one that is read, and in all; of the longest ones."""
    assert pairs.targets is not None
    if isinstance(source, Side):
        texts = pairs.sources if pairs.passages is None else pairs.passages
        read = np.array([len(source.cutter.cut(text)) for text in texts])
    else:
        assert pairs.cases is not None
        read = pairs.cases.lengths - 1  # as texts have an end besides
    said = np.array([len(target.cutter.cut(text)) for text in pairs.targets])
    return float(np.quantile((said + 1) / (read + 1), 0.99)), int(np.quantile(said, 0.99))
