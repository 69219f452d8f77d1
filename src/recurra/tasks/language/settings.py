"""What a language model may be told."""

from dataclasses import dataclass

from ...data.text.units import Level
from ...settings import ModelSettings, Parts, Range, TrainingSettings, otherwise, setting
from ...settings.model import AttentionName, CellName

MOST = 10_000_000  # units that anything may be about


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageSettings:
    """How a text is cut, and how the network is kept from learning it by heart."""

    level: Level = setting(
        "character",
        "units that are read and written: characters, words between white space, or pieces of words (sentencepiece)",
    )
    vocabulary: int = setting(
        50_000,
        "most units that are known, the most frequent ones; of pieces, how many are learned",
        low=2,
        high=MOST,
    )
    min_count: int = setting(1, "times that a unit must be in the training text to be known by itself", low=1)
    validation_size: float | None = setting(
        None, "characters kept to decide when to stop, a number or a share below 1; a twentieth if not given", low=0
    )
    steps: int | None = setting(
        None,
        "units that are read between two training steps, through which gradients go back (truncated back-propagation); "
        "found from the data if not given",
        low=1,
        tune=Range(20, 200, log=True),
    )
    embedding_size: int | None = setting(
        None,
        "numbers that a unit is to the network; hidden_size if not given",
        low=1,
        tune=Range(32, 512, log=True),
    )
    tied: bool = setting(True, "use the vectors of the units again to say which one comes next")
    adaptive: bool | None = setting(
        None,
        "say the next unit in two steps, in which group it is and which one of it (adaptive softmax): faster, and done "
        "from 20,000 units on if not given",
    )
    lookback: int | None = setting(
        None,
        "units before each one that attention looks back over; twice the steps if not given",
        low=1,
        high=MOST,
        tune=Range(50, 1000, log=True),
    )
    boom: int = setting(
        0, "units of a wide layer behind the recurrent ones and attention, folded onto their width; 0 for none", low=0
    )
    embedding_dropout: float = setting(
        0.0, "share of the units whose vector is dropped in a training step", low=0, high=0.9, tune=Range(0, 0.3)
    )
    input_dropout: float = setting(
        0.0, "share of each vector that is dropped before it is read", low=0, high=0.9, tune=Range(0, 0.6)
    )
    activation: float = setting(
        0.0, "weight in the loss of the squared outputs of the recurrent layers (activation regularisation)", low=0
    )
    slowness: float = setting(
        0.0, "weight in the loss of their squared change from step to step (temporal activation regularisation)", low=0
    )
    last_epochs: int = setting(
        0, "epochs after the best one, in which the validation text trains, too; 0 for none", low=0
    )


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageModelSettings(ModelSettings):
    """The recurrent network: it reads forwards, as what comes is not known."""

    cell: CellName | str | type | tuple[str | type, ...] = otherwise(ModelSettings, "cell", "lstm")
    hidden_size: int = otherwise(ModelSettings, "hidden_size", 256)
    attention: AttentionName | type | None = otherwise(ModelSettings, "attention", "none")
    dropout: float = otherwise(ModelSettings, "dropout", 0.2)


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageTrainingSettings(TrainingSettings):
    """How the weights are found; what is left open follows from how much text there is."""

    batch_size: int | None = otherwise(TrainingSettings, "batch_size", None)  # type: ignore[assignment]
    max_epochs: int | None = otherwise(TrainingSettings, "max_epochs", None)  # type: ignore[assignment]
    epoch_steps: int | None = otherwise(TrainingSettings, "epoch_steps", None)  # type: ignore[assignment]
    learning_rate: float = otherwise(TrainingSettings, "learning_rate", 3e-3)


@dataclass(kw_only=True, eq=False, repr=False)
class AdaptAsked:
    """How a network adapts to the text that it reads; not at all by default."""

    cache: int = setting(
        0,
        "last units that are remembered: what followed like states is likelier again (neural cache); 0 for none",
        low=0,
    )
    cache_sharpness: float = setting(0.3, "how much more the likest states of the cache count (θ)", low=0)
    cache_share: float = setting(0.1, "share of the cache in what is said (λ)", low=0, high=1)
    dynamic: float = setting(
        0.0,
        "rate at which a copy of the weights learns on from what was read (dynamic evaluation); 0 for not at all",
        low=0,
        high=1000,
    )
    dynamic_decay: float = setting(
        0.0, "share of the way back to the trained weights that it takes at each step", low=0, high=1
    )


@dataclass(kw_only=True, eq=False, repr=False)
class SurpriseAsked(AdaptAsked):
    """What may be asked about a text."""

    model: str | None = setting(
        None, "answer by one row of the table: network, n_grams (Kneser-Ney), unigram; the network if not given"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class WritingAsked:
    """How a text is written."""

    prompt: str = setting("", "how the text begins", metavar="TEXT")
    length: int = setting(500, "units that are written", low=1)
    temperature: float = setting(
        1.0, "below 1 likelier units are preferred, above 1 they are not; 0 for the likeliest one always", low=0
    )
    top_k: int = setting(0, "draw only among so many of the likeliest units; 0 for all", low=0)
    top_p: float = setting(
        1.0, "draw only among the likeliest units that have this share of the probability together", low=0, high=1
    )
    stop: str | None = setting(None, "end when this has been written", metavar="TEXT")
    seed: int = setting(0, "the same seed writes the same text", low=0, high=2**63 - 1)


PARTS = Parts(
    "language",
    LanguageSettings,
    model=LanguageModelSettings,
    training=LanguageTrainingSettings,
    predict=SurpriseAsked,
    evaluate=AdaptAsked,
    report=AdaptAsked,
    generate=WritingAsked,
    data=(
        "DATA is a plain text file, packed or not, or a folder of them. Its end is held out to judge by, and what "
        "stands before that decides when to stop."
    ),
    answer="surprise",
    estimator="LanguageModel",
)
