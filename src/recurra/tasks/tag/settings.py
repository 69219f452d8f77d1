"""What a tagger may be told."""

from dataclasses import dataclass

from ...settings import ModelSettings, Parts, Range, otherwise, setting
from ...settings.model import AttentionName
from ..cases.settings import CaseModelSettings, CaseSettings, CaseTrainingSettings, TokenSettings


@dataclass(kw_only=True, eq=False, repr=False)
class TagSettings(TokenSettings, CaseSettings):
    """What the steps are called by, and how each case is read."""

    target: str | None = setting(None, "column with the label of each step, or its number; found if not given")
    embedding_dropout: float = otherwise(TokenSettings, "embedding_dropout", 0.5)
    letters: int = setting(
        32,
        "units of each direction that read every word letter by letter; 0 for none",
        low=0,
        tune=Range(16, 64, log=True),
    )
    crf: bool | None = setting(
        None,
        "decide on all labels of a case together, by a conditional random field; if labels are such as B-PER and "
        "I-PER, if not given",
    )
    entities: bool | None = setting(
        None,
        "judge by whole entities, as conlleval does; if labels are such as B-PER and I-PER, if not given",
    )
    intents: bool | None = setting(
        None, "also learn what each sentence is as a whole; if the data say so, if not given"
    )
    piece: int = setting(
        512, "steps that are read at once; a longer case is read in pieces that overlap by half", low=16
    )
    smoothing: float = setting(
        0.0,
        "share of each label that the loss gives to all labels alike, so that nothing is ever certain",
        low=0,
        high=0.9,
        tune=Range(0, 0.2),
    )
    balance: bool = setting(False, "let every label weigh the same in the loss, however many steps have it")


@dataclass(kw_only=True, eq=False, repr=False)
class TagModelSettings(CaseModelSettings):
    """The recurrent network: each step is answered by what was read before and after it."""

    attention: AttentionName | type | None = otherwise(ModelSettings, "attention", "none")
    dropout: float | None = otherwise(ModelSettings, "dropout", None)  # type: ignore[assignment]
    hidden_size: int | None = otherwise(CaseModelSettings, "hidden_size", None)  # type: ignore[assignment]


@dataclass(kw_only=True, eq=False, repr=False)
class TagTrainingSettings(CaseTrainingSettings):
    """How the weights are found; what is left open follows from what is tagged."""

    batch_size: int | None = otherwise(CaseTrainingSettings, "batch_size", None)  # type: ignore[assignment]
    max_epochs: int | None = otherwise(CaseTrainingSettings, "max_epochs", None)  # type: ignore[assignment]
    epoch_steps: int | None = otherwise(CaseTrainingSettings, "epoch_steps", None)
    patience: int | None = otherwise(CaseTrainingSettings, "patience", None)  # type: ignore[assignment]
    watch: str | None = otherwise(CaseTrainingSettings, "watch", None)  # type: ignore[assignment]
    learning_rate: float | None = otherwise(CaseTrainingSettings, "learning_rate", None)  # type: ignore[assignment]


@dataclass(kw_only=True, eq=False, repr=False)
class TagsAsked:
    """What may be asked of labels."""

    model: str | None = setting(
        None,
        "answer by one row of the table: network, window_regression, most_frequent_label; the network if not given",
    )
    spans: bool = setting(
        False, "answer with the entities of each sentence and where they stand in its text, not with a label each"
    )


PARTS = Parts(
    "tag",
    TagSettings,
    model=TagModelSettings,
    training=TagTrainingSettings,
    predict=TagsAsked,
    data=(
        "DATA holds sequences with a label for every step: a CSV or Parquet file with a step in each row (id, time, "
        "label, values), or a .npz file with arrays X and y, both (cases, steps). Where a label is not known, its cell "
        "is empty. Sentences stand in a CoNLL or CoNLL-U file, a word and its tag in each line, in JSON lines with "
        "tokens and tags, or with a text and its spans, or in a table with a word in each row."
    ),
    answer="labels",
    estimator="Tagger",
)
