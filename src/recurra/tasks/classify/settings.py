"""What a classifier may be told."""

from dataclasses import dataclass

from ...settings import Parts, Range, setting
from ..cases.settings import CaseModelSettings, CaseTrainingSettings, PooledSettings, SoundSettings, WholeTextSettings


@dataclass(kw_only=True, eq=False, repr=False)
class ClassifySettings(WholeTextSettings, SoundSettings, PooledSettings):
    """What is classified, and how each case is read."""

    target: str | None = setting(None, "column with the label of each case; found if not given")
    smoothing: float = setting(
        0.1,
        "share of each label that the loss gives to all classes alike, so that nothing is ever certain",
        low=0,
        high=0.9,
        tune=Range(0, 0.3),
    )
    combine: bool | None = setting(
        None,
        "answer with the network and simpler models together, each weighted by how well it did on validation: with "
        "random convolutions, or, of texts, with naive Bayes and an n-gram SVM; only texts, if not given",
    )
    warp: float | None = setting(
        None,
        "largest share of a training case by which a moment of it is moved, at random, the rest stretched and "
        "squeezed; 0.1 for curves and 0 for symbols if not given",
        low=0,
        high=0.9,
        tune=Range(0, 0.3),
    )
    rescale: float | None = setting(
        None,
        "deviation of the random factor that training cases are multiplied by; 0.1 for curves and 0 for symbols if not "
        "given",
        low=0,
        high=0.9,
        tune=Range(0, 0.3),
    )
    several: bool = setting(
        False, "let each case have any number of labels, with | or ; between them, or in a list, or none"
    )
    threshold: bool = setting(
        False, "of two classes, name the rarer one from the probability on that gives its best F1 on validation"
    )
    balance: bool = setting(False, "let every class weigh the same in the loss, however many cases it has")


@dataclass(kw_only=True, eq=False, repr=False)
class ClassesAsked:
    """What may be asked of classes."""

    model: str | None = setting(
        None,
        "answer by one row of the table: network, random_convolutions (MiniRocket), nearest_neighbour, "
        "naive_Bayes, linear_SVM, n_gram_SVM, most_frequent_class; what the run answers if not given",
    )


PARTS = Parts(
    "classify",
    ClassifySettings,
    model=CaseModelSettings,
    training=CaseTrainingSettings,
    predict=ClassesAsked,
    data=(
        "DATA holds labelled sequences: a file of the UCR archive (a case per line, its label first), a .ts file, a "
        "CSV or Parquet file with a case in each row, or with a step in each row (id, time, label, values), a .npz "
        "file with arrays X and y, a folder that has a folder of .wav, .npy or .csv files for each class, or a table "
        "that names such files (file, label). Texts stand in a column of a table, or behind a label in each line."
    ),
    answer="classes",
    estimator="Classifier",
)
