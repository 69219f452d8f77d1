"""What all kinds may be told whose examples are whole sequences."""

from dataclasses import dataclass
from typing import Literal

from ...attention import ATTENTIONS
from ...data.cases import Cases
from ...errors import ConfigError
from ...settings import ModelSettings, Range, TrainingSettings, otherwise, setting
from ...settings.model import AttentionName


@dataclass(kw_only=True, eq=False, repr=False)
class CaseSettings:
    """How cases are found in the data, and how each one is read."""

    id: str | None = setting(None, "column that names the cases, for a step in each row; found if not given")
    time: str | None = setting(None, "column that orders the steps of a case; found if not given")
    validation_size: float | None = setting(
        None, "cases kept to decide when to stop, a number or a share below 1; a fifth if not given", low=0
    )
    normalise: Literal["series", "case", "none"] = setting(
        "series",
        "what values are scaled by: each channel over all training cases, each case by itself, or nothing",
    )
    changes: bool = setting(True, "also read by how much each value differs from the one before it")
    filters: int = setting(
        32,
        "learned filters over neighbouring steps, before what the recurrent layer reads; 0 for none",
        low=0,
        tune=Range(8, 64, log=True),
    )
    last_epochs: int = setting(
        10, "epochs after the best one, in which the validation cases train, too; 0 for none", low=0
    )


@dataclass(kw_only=True, eq=False, repr=False)
class PooledSettings(CaseSettings):
    """How a case is read in segments, and what was read becomes one answer."""

    segment: int | None = setting(
        None, "steps that the recurrent layer reads at a time; found if not given", low=1, tune=Range(1, 64, log=True)
    )
    readout: Literal["last", "mean", "max", "attention"] | None = setting(
        None,
        "how what was read becomes one answer; attention if there is one, if not given",
    )
    convolutions: int = setting(
        0,
        "filters of a convolutional branch beside the recurrent layer, as in an LSTM-FCN; 0 for none",
        low=0,
        tune=Range(16, 128, log=True),
    )
    rows: int = setting(
        1,
        "looks that the attention takes at a case, each in its own way, side by side",
        low=1,
        tune=Range(1, 16, log=True),
    )


@dataclass(kw_only=True, eq=False, repr=False)
class SoundSettings:
    """What is done to sounds in training."""

    disguise: float | None = setting(
        None,
        "how much training sounds are disguised, as if another voice spoke into another microphone in another room; 1 "
        "for sounds and 0 for all else if not given",
        low=0,
        high=2,
        tune=Range(0, 2),
    )

    def disguised(self, cases: Cases, usual: float = 1.0) -> float:
        """Return how much ``cases`` are disguised; raises ConfigError if they are to be, but are no sounds."""
        if cases.rate is not None:
            return usual if self.disguise is None else self.disguise
        if self.disguise:
            raise ConfigError(f"disguise={self.disguise:g} is for sounds, and these are none: leave it out.")
        return 0.0


@dataclass(kw_only=True, eq=False, repr=False)
class TokenSettings:
    """What a token is to the network."""

    tokens: Literal["words", "characters"] | None = setting(
        None, "what a text is read by; words if not given, and characters where texts are a word or two"
    )
    lowercase: bool | None = setting(None, "read words as if all were in small letters; only words, if not given")
    min_count: int = setting(2, "times that a word must be in the training texts to be known by itself", low=1)
    vocabulary: int = setting(20_000, "most tokens that are known, the most frequent ones", low=1)
    subwords: int = setting(
        20_000, "vectors for pieces of words, so that those are alike that are written alike; 0 for none", low=0
    )
    embedding_size: int | None = setting(
        None,
        "numbers that a token is to the network; as many as its vectors have, else 100, if not given",
        low=1,
        tune=Range(32, 300, log=True),
    )
    vectors: str | None = setting(
        None,
        "file with a vector for each word, as word2vec, GloVe and fastText write them as text, with which words begin",
        metavar="FILE",
    )
    embedding_dropout: float = setting(0.3, "share of these that is dropped in training", low=0, high=0.9)
    forget: float = setting(0.05, "share of tokens taken for unknown in training, at random", low=0, high=0.9)


@dataclass(kw_only=True, eq=False, repr=False)
class TextSettings(TokenSettings):
    """How a text is read."""

    tokens: Literal["words", "characters", "sentencepiece"] | None = setting(  # type: ignore[assignment]
        None,
        "what a text is read by (sentencepiece: pieces of words, learned from the training texts); words if not given, "
        "and characters where texts are a word or two",
    )
    text: str | None = setting(None, "column with the text of each case; found if not given")
    most_tokens: int = setting(1000, "tokens of a text that are read, from its beginning", low=1)


@dataclass(kw_only=True, eq=False, repr=False)
class WholeTextSettings(TextSettings):
    """How a text is read that is answered as a whole."""

    hierarchy: bool = setting(
        False,
        "read the words of each sentence, then the sentences of the text, each by a recurrent layer and an attention "
        "of its own",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class CaseModelSettings(ModelSettings):
    """The recurrent network and its attention: a case is known to its end, so it is read from both sides."""

    hidden_size: int = otherwise(ModelSettings, "hidden_size", 64)
    bidirectional: bool = otherwise(ModelSettings, "bidirectional", True)
    self_attention: AttentionName | type = setting(
        "none", "how all that was read looks at each other, before one answer is made of it", members=ATTENTIONS
    )


@dataclass(kw_only=True, eq=False, repr=False)
class CaseTrainingSettings(TrainingSettings):
    """How the weights are found: in short epochs, since most sets are small and learned in a few hundred steps."""

    batch_size: int = otherwise(TrainingSettings, "batch_size", 32)
    max_epochs: int = otherwise(TrainingSettings, "max_epochs", 60)
    epoch_steps: int | None = otherwise(TrainingSettings, "epoch_steps", None)  # type: ignore[assignment]
    patience: int = otherwise(TrainingSettings, "patience", 10)
    learning_rate: float = otherwise(TrainingSettings, "learning_rate", 5e-3)
