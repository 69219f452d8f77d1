"""What a tagger may be told."""

from dataclasses import dataclass

from ...settings import ModelSettings, Parts, Range, otherwise, setting
from ...settings.model import AttentionName
from ..cases.settings import CaseModelSettings, CaseSettings, CaseTrainingSettings


@dataclass(kw_only=True, eq=False, repr=False)
class TagSettings(CaseSettings):
    """What the steps are called by, and how each case is read."""

    target: str | None = setting(None, "column with the label of each step; found if not given")
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


@dataclass(kw_only=True, eq=False, repr=False)
class TagTrainingSettings(CaseTrainingSettings):
    """How the weights are found: each case has many answers, so few cases make a step."""

    batch_size: int = otherwise(CaseTrainingSettings, "batch_size", 16)


@dataclass(kw_only=True, eq=False, repr=False)
class TagsAsked:
    """What may be asked of labels."""

    model: str | None = setting(
        None,
        "answer by one row of the table: network, window_regression, most_frequent_label; the network if not given",
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
        "is empty."
    ),
    answer="labels",
    estimator="Tagger",
)
