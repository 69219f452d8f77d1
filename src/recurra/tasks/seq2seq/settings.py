"""What a model that answers texts with texts may be told."""

from dataclasses import dataclass
from typing import Literal

from ...data.text.units import Level
from ...settings import ModelSettings, Parts, Range, TrainingSettings, otherwise, setting
from ...settings.model import AttentionName, CellName
from ..cases.settings import SoundSettings

WIDEST = 1_000  # answers to a text at the same time: as many scores of all units are in memory


@dataclass(kw_only=True, eq=False, repr=False)
class PairSettings:
    """Where the two texts of a pair stand."""

    source_column: str | None = setting(
        None, "column with the texts that are read; found from the data if not given", metavar="COLUMN"
    )
    target_column: str | None = setting(
        None, "column with the texts that answer them; found from the data if not given", metavar="COLUMN"
    )
    passage_column: str | None = setting(
        None,
        "column with what the texts of the source are about: the passage of a question, what was said before a turn",
        metavar="COLUMN",
    )
    turns: int = setting(
        1, "turns before a reply that are read, where what was said comes in threads", low=1, tune=Range(1, 5)
    )
    target_file: str | None = setting(None, "file with the answers, line by line, to the lines of DATA", metavar="FILE")
    separator: str | None = setting(
        None, "what stands between the two texts of a line; found from the data if not given", metavar="TEXT"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class Seq2seqSettings(SoundSettings, PairSettings):
    """How texts are cut, what the decoder reads, and how an answer is searched for."""

    decoder: Literal["attending", "ctc", "span"] | None = setting(
        None,
        "how an answer is made: a decoder that looks back writes it (attending), every step of a sound or a series "
        "says a unit or none (ctc), or it is pointed at in the passage (span); attending or span if not given",
    )
    mentions: bool = setting(
        True, "with the decoder span: each unit looks at the other places where it stands, at what is said of it there"
    )
    flow: bool = setting(
        False, "with the decoder span: passage and question look at each other before the answer is pointed at (BiDAF)"
    )
    level: Level | None = setting(
        None,
        "units that are read and written: characters, words and marks, or pieces of words (sentencepiece); found from "
        "the data if not given",
    )
    target_level: Level | None = setting(None, "units of the answers, if others")
    segment: int | None = setting(
        None,
        "steps of a sound or a series that the encoder reads at a time; of sounds 8, which are 80 ms, if not given",
        low=1,
        tune=Range(1, 64, log=True),
    )
    filters: int = setting(
        32,
        "learned filters over neighbouring steps of a sound or a series, or pixels of a picture, before what the "
        "encoder reads; 0 for none",
        low=0,
        tune=Range(8, 64, log=True),
    )
    reads: Literal["pictures", "features", "sequences"] | None = setting(
        None,
        "what each array is: one picture, features (rows, columns, features) that another network found in one, or a "
        "sequence, as series and moving pictures are; found from the data if not given",
    )
    grid: int = setting(
        8, "rows and columns of cells, at most, of a picture that is looked at", low=1, high=64, tune=Range(4, 14)
    )
    vocabulary: int = setting(8_000, "most units of each side that are known; of pieces, how many are learned", low=3)
    min_count: int = setting(1, "times that a unit must be in the training texts to be known by itself", low=1)
    shared: bool = setting(False, "both sides have the same units, with the same vectors")
    copy: bool = setting(
        False,
        "an answer may take units from its text, known or not, where the decoder looks (pointer-generator); both sides "
        "have the same units then, words if nothing else is said",
    )
    forget: float = setting(
        0.1,
        "with copy or the decoder span: share of the units of a text taken for unknown in training, at random",
        low=0,
        high=0.9,
    )
    longest: int | None = setting(
        None,
        "units of a text beyond which its pair does not train, as it would take much time; 200, and 800 where answers "
        "are pointed at, if not given",
        low=1,
    )
    validation_size: float | None = setting(
        None, "pairs kept to decide when to stop, a number or a share below 1; a twentieth if not given", low=0
    )
    embedding_size: int | None = setting(
        None, "numbers that a unit is to the network; hidden_size if not given", low=1, tune=Range(32, 512, log=True)
    )
    tied: bool = setting(True, "use the vectors of the answers' units again to say which one comes next")
    feeding: bool = setting(
        True, "what the decoder saw at one step is a part of what it reads at the next (input feeding)"
    )
    input_dropout: float = setting(
        0.2, "share of each vector that is dropped before it is read", low=0, high=0.9, tune=Range(0, 0.6)
    )
    smoothing: float = setting(
        0.1, "share of the probability that all units have alike in the loss (label smoothing)", low=0, high=0.9
    )
    diagonal_penalty: float = setting(
        0.0,
        "weight in the loss of looks away from the diagonal, where what is read and what is written have one order "
        "(guided attention)",
        low=0,
    )
    sampling: float = setting(
        0.0,
        "share of the units before, in training, that are the model's own guesses (scheduled sampling)",
        low=0,
        high=1,
    )
    beam: int = setting(
        5,
        "answers that are followed at the same time (beam search); 1 takes the likeliest unit",
        low=1,
        high=WIDEST,
    )
    length_penalty: float = setting(
        1.0,
        "how much long answers are favoured: the exponent of their length, by which sums are divided",
        low=0,
        high=5,
    )
    bleu_tokens: Literal["13a", "zh", "char", "none"] | None = setting(
        None, "what BLEU counts, as sacrebleu calls it; found from the data if not given"
    )
    rank: Literal["bleu", "chrf", "cider", "exact", "rouge", "f1", "wer", "cer"] | None = setting(
        None, "the metric by which models are ranked; found from the data if not given"
    )
    last_epochs: int = setting(
        0, "epochs after the best one, in which the validation pairs train, too; 0 for none", low=0
    )


@dataclass(kw_only=True, eq=False, repr=False)
class Seq2seqModelSettings(ModelSettings):
    """The encoder, and the cell of the decoder, which is that of its last layer."""

    cell: CellName | str | type | tuple[str | type, ...] = otherwise(ModelSettings, "cell", "gru")
    hidden_size: int = otherwise(ModelSettings, "hidden_size", 256)
    bidirectional: bool = otherwise(ModelSettings, "bidirectional", True)
    attention: AttentionName | type | None = otherwise(ModelSettings, "attention", "additive")


@dataclass(kw_only=True, eq=False, repr=False)
class Seq2seqTrainingSettings(TrainingSettings):
    """How the weights are found; what is left open follows from how many pairs there are."""

    batch_size: int | None = otherwise(TrainingSettings, "batch_size", None)  # type: ignore[assignment]
    max_epochs: int | None = otherwise(TrainingSettings, "max_epochs", None)  # type: ignore[assignment]
    epoch_steps: int | None = otherwise(TrainingSettings, "epoch_steps", None)  # type: ignore[assignment]
    learning_rate: float = otherwise(TrainingSettings, "learning_rate", 2e-3)


@dataclass(kw_only=True, eq=False, repr=False)
class AnswerAsked:
    """How texts are answered."""

    model: str | None = setting(
        None,
        "answer by one row of the table: network, nearest_pair, copy_source, first_sentence, sentence_in_common, "
        "commonest_answer; the network if not given",
    )
    beam: int | None = setting(
        None, "answers that are followed at the same time; as in training if not given", low=1, high=WIDEST
    )
    length_penalty: float | None = setting(
        None, "how much long answers are favoured; as in training if not given", low=0, high=5
    )
    best: int = setting(1, "how many of the best answers to each text are given", low=1, high=WIDEST)
    copy_unknown: bool = setting(
        True, "where the answer has a unit that is not known, write the one of the text that was looked at"
    )
    ensemble: tuple[str, ...] | None = setting(
        None, "folders of other runs, trained on the same data, that decide together with this one", metavar="FOLDERS"
    )


PARTS = Parts(
    "seq2seq",
    Seq2seqSettings,
    model=Seq2seqModelSettings,
    training=Seq2seqTrainingSettings,
    predict=AnswerAsked,
    data=(
        "DATA is a table with two columns of texts, or a file of lines beside one with their answers. "
        "Pairs with the same text to read are never in two parts."
    ),
    answer="answer",
    estimator="Translator",
)
