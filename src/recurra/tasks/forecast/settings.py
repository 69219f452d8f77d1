"""What a forecaster may be told."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...attention import ATTENTIONS
from ...cells import CELLS
from ...settings import ModelSettings, Parts, Range, TrainingSettings, otherwise, setting
from ...settings.model import AttentionName, CellName
from .presets import PRESETS, filled_in

PRESET_NAMES = tuple(PRESETS)
if TYPE_CHECKING:
    PresetName: TypeAlias = str
else:
    PresetName = Literal[PRESET_NAMES]

NEGATIVE_BINOMIAL = "negative_binomial"
LossName = Literal["quantile", "absolute", "squared", "huber", "gaussian", "student_t", "negative_binomial"]
WITH_INTERVALS = ("quantile", "gaussian", "student_t", NEGATIVE_BINOMIAL)  # losses that predict them


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastSettings:
    """What is forecast, from what, and in which shape."""

    horizon: int | None = setting(None, "how many steps ahead to forecast", low=1)
    lookback: int | None = setting(None, "how many past steps the model reads; found from the data if not given", low=1)
    target: str | tuple[str, ...] | None = setting(None, "column(s) to forecast; all numeric ones if not given")
    time: str | None = setting(None, "column with the time stamps; found if not given")
    id: str | None = setting(None, "column that names the series, for many series below each other")
    frequency: str | None = setting(None, "step between time stamps, such as h, 15min, D, W, MS; found if not given")
    known: str | tuple[str, ...] | None = setting(
        None,
        "column(s) whose values are known ahead, such as prices and promotions; numbers or text",
        metavar="COLUMNS",
    )
    past: str | tuple[str, ...] | None = setting(
        None, "column(s) that are known up to now, such as a temperature; numbers or text", metavar="COLUMNS"
    )
    static: str | tuple[str, ...] | None = setting(
        None, "column(s) that never change within a series, such as its region; numbers or text", metavar="COLUMNS"
    )
    calendar: bool = setting(
        False,
        "read the hour, the weekday and the month of each step, also ahead, as far as they differ and can be learned",
    )
    holidays: str | None = setting(
        None, "country whose public holidays are read, also ahead: two letters, such as DE, or DE-BY", metavar="COUNTRY"
    )
    aggregate: Literal["sum", "mean", "last", "first", "min", "max"] | None = setting(
        None, "what the value of a step is where the frequency is coarser than the rows; such a frequency needs it"
    )
    season: int | None = setting(None, "steps in a season, 1 for none; found if not given", low=1)
    validation_size: int | None = setting(None, "last steps kept to decide when to stop; a tenth if not given", low=1)
    last_epochs: int | None = setting(
        None,
        "epochs on training and validation rows after the best one; a few if there is little to learn from, if not "
        "given",
        low=0,
    )
    preset: PresetName = setting("segment", "the whole architecture; what it fills in goes behind what is given")
    decoder: Literal["segment", "vanilla"] | None = setting(
        None, "how the future is written: all segments at once, or step by step; segment if not given"
    )
    segment: int | None = setting(
        None, "steps the model reads or writes at a time; found if not given", low=1, tune=Range(1, 48, log=True)
    )
    missing: Literal["mask", "decay", "fill"] = setting(
        "mask",
        "what is read where a value is missing: nothing and for how long, what fades from the last one to the mean, or "
        "the last one",
    )
    normalise: Literal["last", "mean", "none"] | None = setting(
        None, "what is subtracted from each window; last if not given"
    )
    log: bool | None = setting(
        None, "let the network see logarithms; yes if the values swing more where they are larger, if not given"
    )
    cycle: bool | None = setting(None, "learn a seasonal cycle; yes if there is a season, if not given")
    lags: bool | None = setting(
        None,
        "attention knows how long ago each segment was, and what it looks at is copied; yes if it scores them, "
        "if not given",
    )
    channels: Literal["independent", "joint"] | None = setting(
        None, "several columns: one by one with shared weights, or read together; independent if not given"
    )
    loss: LossName | None = setting(
        None,
        "what is predicted and how errors count; the last three are distributions, that of counts the last; quantile "
        "if not given",
    )
    combine: bool | None = setting(
        None,
        "answer with the network and a linear model together, each weighted by how well it did on validation; yes if "
        "not given",
    )
    lower: float | None = setting(
        None, "forecasts and their intervals never go below it, such as 0; nor may the values that are learned from"
    )
    upper: float | None = setting(
        None, "forecasts and their intervals never go above it, such as 100; nor may the values that are learned from"
    )
    levels: tuple[int, ...] = setting((80, 90), "coverage of the forecast intervals in percent", low=1, high=99)
    rank: Literal["mase", "rmsse", "mae", "rmse"] | None = setting(
        None, "the metric by which models are ranked; mase if not given, and rmsse for demand that is mostly zero"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastModelSettings(ModelSettings):
    """The recurrent network and its attention, as large as the data can teach."""

    cell: CellName | str | type | tuple[str | type, ...] | None = setting(  # type: ignore[assignment]
        None,
        "recurrent cell, or lstm/gru for a stack of an LSTM below a GRU; gru if not given",
        members=CELLS,
    )
    hidden_size: int | None = otherwise(ModelSettings, "hidden_size", None)  # type: ignore[assignment]
    attention: AttentionName | type | None = setting(
        None,
        "how the model looks at what it has read; scaled_dot if not given, general if it reads in both directions",
        members=ATTENTIONS,
    )


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastTrainingSettings(TrainingSettings):
    """How the weights are found: little data are learned in small steps soon, many need their time."""

    batch_size: int | None = otherwise(TrainingSettings, "batch_size", None)  # type: ignore[assignment]
    max_epochs: int | None = otherwise(TrainingSettings, "max_epochs", None)  # type: ignore[assignment]
    epoch_steps: int | None = otherwise(TrainingSettings, "epoch_steps", None)  # type: ignore[assignment]
    patience: int | None = otherwise(TrainingSettings, "patience", None)  # type: ignore[assignment]
    learning_rate: float | None = otherwise(TrainingSettings, "learning_rate", None)  # type: ignore[assignment]
    warmup: int | None = otherwise(TrainingSettings, "warmup", None)  # type: ignore[assignment]


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastAsked:
    """What a forecast may be asked for."""

    steps: int | None = setting(None, "how many steps ahead; the trained horizon if not given", low=1)
    paths: int | None = setting(None, "draw so many sample paths instead of a forecast with intervals", low=1)
    seed: int = setting(0, "of the sample paths; the same seed draws the same ones", low=0)
    future: str | None = setting(
        None, "file with the rows to come: the time and the columns that are known ahead", metavar="FILE"
    )
    fitted: bool = setting(
        False,
        "say of each row of the data what was forecast so many steps before it, one if not given, instead of what "
        "follows",
    )
    model: str | None = setting(
        None, "answer by one row of the table: network, linear, seasonal_naive, ..; all together if not given"
    )


@dataclass(kw_only=True, eq=False, repr=False)
class BacktestAsked:
    """How a forecaster may be judged again."""

    step: int | None = setting(None, "distance between forecast origins; found if not given", low=1)


@dataclass(kw_only=True, eq=False, repr=False)
class OriginsAsked:
    """From which origins is forecast in a backtest, and what trains at them."""

    n_windows: int = setting(5, "how many origins; the last has one horizon of data after it", low=1, metavar="NUMBER")
    step: int | None = setting(None, "distance between origins; the horizon if not given", low=1)
    refit: int = setting(0, "train anew at every so many origins: 1 for each; 0 trains at the first alone", low=0)
    window: Literal["expanding", "rolling"] = setting(
        "expanding", "what trains, all that lies before an origin or a window as long at each"
    )
    size: int | None = setting(
        None, "how many values a rolling window holds; as many as lie before the first origin if not given", low=1
    )


@dataclass(kw_only=True, eq=False, repr=False)
class ReportAsked:
    """What a report may show."""

    show: str | tuple[str, ...] | None = setting(
        None, "series to show, by name; good, middling and bad ones if not given"
    )
    future: str | None = setting(
        None, "file with the rows to come: the time and the columns that are known ahead", metavar="FILE"
    )


PARTS = Parts(
    "forecast",
    ForecastSettings,
    model=ForecastModelSettings,
    training=ForecastTrainingSettings,
    predict=ForecastAsked,
    evaluate=BacktestAsked,
    backtest=OriginsAsked,
    report=ReportAsked,
    presets={name: filled_in(name) for name in PRESETS},
    needed={
        "horizon": "The horizon is missing: say how many steps ahead to forecast, such as horizon=24. "
        "To name the classes of labelled sequences instead, use Classifier."
    },
    data=("DATA is a CSV or Parquet file, wide (a time column and a column per series) or long (unique_id, ds, y)."),
    answer="forecast",
    estimator="Forecaster",
)
