"""Settings: every fault is named at once, in words, whether they come from Python, TOML or a command line."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.attention import AdditiveAttention
from recurra.cells import CELLS, GRUCell, LSTMCell
from recurra.errors import ConfigError, RunError
from recurra.settings import (
    CompareAsked,
    Config,
    ModelSettings,
    NoSettings,
    Parts,
    Range,
    Setting,
    TrainingSettings,
    make_part,
    otherwise,
    read_toml,
    setting,
    settings_of,
    written,
)
from recurra.settings import make_config as make_any_config
from recurra.settings.base import checked
from recurra.tasks import parts_of
from recurra.tasks.forecast.settings import PARTS, BacktestAsked, ForecastAsked, ForecastSettings
from recurra.tasks.saving import brought

SETTINGS = PARTS.settings()


def make_config(settings: dict[str, Any]) -> Config:
    return make_any_config(PARTS, settings)


def faults_of(**settings: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_config(settings)
    return str(caught.value).splitlines()


def write(path: Path, text: str) -> Path:
    path = path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


ASKED = settings_of(ForecastAsked) | settings_of(BacktestAsked)


@pytest.mark.parametrize("one", (SETTINGS | ASKED).values(), ids=lambda one: one.name)
def test_every_setting_is_described(one: Setting) -> None:
    described = one.help
    assert len(described) > 10 and described[0].islower() == described[0].isalpha() and not described.endswith(".")
    if one.default is not None:
        assert checked(one, one.default) == one.default, "the default passes its own check"
    else:
        assert type(None) in one.kinds


def test_a_name_belongs_to_one_part() -> None:
    every = [field.name for part in PARTS.by_name().values() for field in dataclasses.fields(part)]
    assert len(every) == len(set(every)) == len(SETTINGS) == len(PARTS.defaults())
    assert list(PARTS.part_of()) == every and set(PARTS.part_of().values()) == set(PARTS.by_name())


def test_nothing_given_gives_the_defaults() -> None:
    assert make_config({}).flat() == PARTS.defaults("segment")
    assert list(make_config({}).to_dict()) == ["forecast", "model", "training"]


def test_values_land_in_their_part() -> None:
    config = make_config({"horizon": 7, "cell": "lstm", "seed": 3})
    assert (config.task.horizon, config.model.cell, config.training.seed) == (7, "lstm", 3)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("horizn", "horizon"),
        ("hiden_size", "hidden_size"),
        ("lr_learning_rate", "learning_rate"),
        ("batchsize", "batch_size"),
        ("CELL", "cell"),
        ("Horizon", "horizon"),
    ],
)
def test_an_unknown_setting_offers_the_nearest(wrong: str, right: str) -> None:
    assert faults_of(**{wrong: 1}) == [f"Unknown setting '{wrong}'. Did you mean '{right}'?"]


def test_an_unknown_setting_that_is_like_nothing() -> None:
    assert faults_of(qqqq=1) == ["Unknown setting 'qqqq'."]


def test_all_faults_come_at_once() -> None:
    faults = faults_of(horizn=3, cell="lsmt", dropout=2, hidden_size="many", levels=[0], batch_size=8)
    assert len(faults) == 5
    for name in ("horizn", "cell", "dropout", "hidden_size", "levels"):
        assert sum(name in fault for fault in faults) == 1, name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("horizon", 0, "horizon must be at least 1. Got 0 instead."),
        ("horizon", 2.5, "horizon must be a whole number. Got 2.5 instead."),
        ("horizon", True, "horizon must be a whole number. Got True instead."),
        ("horizon", np.True_, "horizon must be a whole number"),
        ("horizon", "many", "horizon must be a whole number. Got 'many' instead."),
        ("horizon", math.inf, "horizon must be a whole number. Got inf instead."),
        ("horizon", "1e999", "horizon must be a whole number"),
        ("horizon", math.nan, "horizon must be a whole number"),
        ("horizon", [3], r"horizon must be a whole number. Got \[3\] instead."),
        ("num_layers", None, "num_layers must be a whole number. Got None instead."),
        ("dropout", 1.0, "dropout must be at most 0.99. Got 1.0 instead."),
        ("dropout", -0.1, "dropout must be at least 0. Got -0.1 instead."),
        ("learning_rate", "fast", "learning_rate must be a number. Got 'fast' instead."),
        ("learning_rate", math.nan, "learning_rate must be a number"),
        ("entropy_penalty", math.inf, "entropy_penalty must be a number"),
        ("bidirectional", "maybe", "bidirectional must be true or false. Got 'maybe' instead."),
        ("bidirectional", 1, "bidirectional must be true or false. Got 1 instead."),
        ("device", 0, "device must be text. Got 0 instead."),
        ("cell", "lsmt", "Unknown cell 'lsmt'. Did you mean 'lstm'\\? Choose one of: rnn, "),
        ("cell", ("lstm", "gruu"), "Unknown cell 'gruu'. Did you mean 'gru'?"),
        ("cell", (), "cell must name at least one value"),
        ("cell", 3, "cell must be text"),
        ("attention", "dto", "Unknown attention 'dto'. Did you mean 'dot'?"),
        ("loss", "mse", "Choose one of: quantile, absolute, squared, huber, gaussian, student_t, negative_binomial."),
        ("levels", (), "levels must name at least one value"),
        ("levels", (80, 100), "levels must be at most 99. Got 100 instead."),
        ("levels", (0, 80), "levels must be at least 1. Got 0 instead."),
        ("levels", "80;90", "levels must be a whole number"),
        ("target", (1,), "target must be text"),
    ],
)
def test_wrong_values(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({name: value})


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("horizon", "24", 24),
        ("horizon", 24.0, 24),
        ("horizon", "1e3", 1000),
        ("horizon", np.int64(24), 24),
        ("horizon", None, None),
        ("seed", 2**60 + 1, 2**60 + 1),
        ("learning_rate", "3e-4", 3e-4),
        ("learning_rate", 1, 1.0),
        ("learning_rate", np.float32(0.5), 0.5),
        ("bidirectional", "Yes", True),
        ("bidirectional", "0", False),
        ("bidirectional", np.False_, False),
        ("cycle", "no", False),
        ("cycle", None, None),
        ("cell", "lstm", "lstm"),
        ("cell", "lstm / gru", ("lstm", "gru")),
        ("cell", "lstm, gru", ("lstm", "gru")),
        ("cell", ["lstm", "gru"], ("lstm", "gru")),
        ("target", "price", "price"),
        ("target", "price,sold", ("price", "sold")),
        ("target", ("a, b",), ("a, b",)),
        ("levels", "80, 95", (80, 95)),
        ("levels", "80", (80,)),
        ("levels", 80, (80,)),
        ("levels", [50, 80.0], (50, 80)),
    ],
)
def test_values_in_every_spelling(name: str, value: Any, kept: Any) -> None:
    found = make_config({name: value}).flat()[name]
    assert found == kept and type(found) is type(kept)
    if isinstance(kept, tuple):
        assert [type(one) for one in found] == [type(one) for one in kept]


@given(st.lists(st.sampled_from(sorted(CELLS)), min_size=2, max_size=4), st.data())
def test_a_stack_has_one_notation_and_the_old_ones_are_read(cells: list[str], data: st.DataObject) -> None:
    stack = make_config({"cell": tuple(cells)})
    assert stack.named("cell") == "/".join(cells)
    signs = data.draw(st.lists(st.sampled_from(["/", " / ", ",", ", ", "+", ">", "→"]), min_size=len(cells)))
    text = cells[0] + "".join(f"{sign}{cell}" for sign, cell in zip(signs, cells[1:], strict=False))
    assert make_config({"cell": text}).flat() == stack.flat()
    assert make_config({"cell": stack.named("cell")}).flat() == stack.flat(), "what is written is read"


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_default_is_written_as_it_is_read(name: str) -> None:
    default = SETTINGS[name].default
    assert default is None or checked(SETTINGS[name], written(SETTINGS[name], default)) == default


def test_limits_are_inclusive() -> None:
    config = make_config({"dropout": 0.99, "horizon": 1, "zoneout": 0})
    assert (config.model.dropout, config.task.horizon, config.model.zoneout) == (0.99, 1, 0.0)


NUMBERS = st.one_of(st.floats(), st.integers(), st.lists(st.integers(), max_size=2))
VALUES = st.one_of(st.none(), st.booleans(), st.text("ab1.,-", max_size=5), NUMBERS)


def alone(name: str, value: Any) -> str | None:
    """Return the fault of one setting by itself."""
    try:
        make_config({name: value})
    except ConfigError as fault:
        return str(fault)
    return None


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(SETTINGS)), VALUES, max_size=6))
def test_any_value_is_taken_or_refused_in_words(chosen: dict[str, Any]) -> None:
    faults = [fault for name, value in chosen.items() if (fault := alone(name, value))]
    if faults:
        assert faults_of(**chosen) == faults
        return
    config = make_config(chosen)
    assert make_config(config.flat()).flat() == config.flat(), "what was taken once is taken again unchanged"


def test_settings_survive_json() -> None:
    config = make_config({"cell": "lstm,gru", "levels": (50,), "target": "a,b", "learning_rate": 0.1})
    parts = json.loads(json.dumps(config.to_dict()))
    again = make_config({name: value for part in parts.values() for name, value in part.items()})
    assert again.flat() == config.flat()


# TOML


def test_toml_flat_and_in_parts(tmp_path: Path) -> None:
    flat = write(tmp_path, 'horizon = 12\ncell = ["lstm", "gru"]\nlearning_rate = 0.01\nlevels = [50]\n')
    one = make_config(read_toml(flat, PARTS))
    parts = write(
        tmp_path,
        '[forecast]\nhorizon = 12\nlevels = "50"\n[model]\ncell = "lstm,gru"\n[training]\nlearning_rate = 1e-2\n',
    )
    two = make_config(read_toml(parts, PARTS))
    assert (
        one.flat()
        == two.flat()
        == PARTS.defaults("segment")
        | {
            "horizon": 12,
            "cell": ("lstm", "gru"),
            "learning_rate": 0.01,
            "levels": (50,),
        }
    )


def test_every_setting_can_come_from_toml(tmp_path: Path) -> None:
    lines = []
    for part, values in make_config({"horizon": 3}).to_dict().items():
        lines.append(f"[{part}]")
        for name, value in values.items():
            if value is not None:
                lines.append(f"{name} = {json.dumps(value)}")
    assert make_config(read_toml(write(tmp_path, "\n".join(lines)), PARTS)).flat() == PARTS.defaults("segment") | {
        "horizon": 3
    }


def test_toml_names_every_fault(tmp_path: Path) -> None:
    text = "seed = 1\n[model]\nhorizon = 3\nhiden_size = 4\n[modle]\ncell = 'gru'\n[training]\nseed = 2\n"
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_toml(path, PARTS)
    assert str(caught.value).splitlines() == [
        f"{path}: The setting horizon belongs in [forecast], not in [model].",
        f"{path}: Unknown setting 'hiden_size' in [model]. Did you mean 'hidden_size'?",
        f"{path}: Unknown part [modle]. Did you mean 'model'?",
        f"{path}: The setting seed is given twice.",
    ]


def test_toml_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no settings file"):
        read_toml(tmp_path / "none.toml", PARTS)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path, PARTS)
    with pytest.raises(ConfigError, match="is not a TOML file"):
        read_toml(write(tmp_path, "horizon: 3"), PARTS)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        read_toml(binary, PARTS)


def test_what_verbs_are_asked_stands_above_the_parts(tmp_path: Path) -> None:
    path = write(tmp_path, "cells = 'gru'\ntest_size = 3\n[model]\nseeds = 2\ntest_sise = 4\n")
    with pytest.raises(ConfigError) as caught:
        read_toml(path, PARTS, asked=settings_of(CompareAsked))
    assert str(caught.value).splitlines() == [
        f"{path}: The setting seeds belongs at the top of the file, above all parts, not in [model].",
        f"{path}: Unknown setting 'test_sise' in [model]. Did you mean 'test_size'?",
    ]


def test_no_setting_is_called_like_what_verbs_are_asked() -> None:
    for parts in (PARTS, parts_of("classify")):
        assert not {*settings_of(CompareAsked)} & {*parts.settings()}


# Where a search looks


@pytest.mark.parametrize("one", [one for one in SETTINGS.values() if one.tune], ids=lambda one: one.name)
def test_a_range_holds_values_that_pass(one: Setting) -> None:
    assert one.tune is not None and not one.choices
    low, high, log = one.tune
    assert low < high and (not log or low > 0)
    for value in (low, high):
        assert checked(one, value) == value, "both ends lie within the limits"
    if int in one.kinds:
        assert (int(low), int(high)) == (low, high)
    if one.default is not None:
        assert low <= one.default <= high, "what is good without a search is found by it"


def test_what_has_a_range() -> None:
    tuned = {name for name, one in SETTINGS.items() if one.tune}
    assert {"hidden_size", "num_layers", "dropout", "learning_rate", "weight_decay", "batch_size", "segment"} <= tuned
    assert not tuned & {"horizon", "seed", "max_epochs", "patience", "cell", "validation_size"}, "no matter of taste"
    assert Range(1, 3) == (1, 3, False)


# Classes of one's own


class MyCell(GRUCell):
    """A cell that is not part of recurra."""


class MyAttention(AdditiveAttention):
    """An attention that is not part of recurra."""


def test_a_class_in_the_place_of_a_name() -> None:
    config = make_config({"cell": MyCell, "attention": MyAttention})
    assert (config.model.cell, config.model.attention) == (MyCell, MyAttention)
    assert config.flat()["cell"] is MyCell and make_config(config.flat()).flat() == config.flat()
    plain = config.to_dict()["model"]
    assert plain["cell"] == f"{__name__}:MyCell" and plain["attention"] == f"{__name__}:MyAttention"
    assert config.plain()["cell"] == plain["cell"] and json.loads(json.dumps(config.to_dict()))["model"] == plain


@pytest.mark.parametrize("given", [("lstm", MyCell), ["lstm", MyCell]])
def test_a_stack_with_a_class(given: Any) -> None:
    config = make_config({"cell": given})
    assert config.model.cell == ("lstm", MyCell)
    assert config.to_dict()["model"]["cell"] == ("lstm", f"{__name__}:MyCell")


def test_a_class_of_recurra_is_known_by_its_name() -> None:
    config = make_config({"cell": (LSTMCell, GRUCell), "attention": AdditiveAttention})
    assert config.plain()["cell"] == ("lstm", "gru") and config.plain()["attention"] == "additive"


def test_the_name_of_a_class_is_not_imported() -> None:
    (fault,) = faults_of(cell="mine:MyCell")
    assert fault == ("'mine:MyCell' names your own cell, and only its name: give the class itself, cell=mine.MyCell.")
    assert "'os:sep' names your own attention" in faults_of(attention="os:sep")[0]
    assert "'mine:MyCell' names your own cell" in faults_of(cell="lstm,mine:MyCell")[0]
    assert faults_of(loss="mine:Loss")[0].startswith("Unknown loss 'mine:Loss'."), "there are no losses of one's own"


def test_a_class_where_none_may_stand() -> None:
    assert "device must be text" in faults_of(device=MyCell)[0]
    assert "hidden_size must be a whole number" in faults_of(hidden_size=MyCell)[0]
    assert "loss must be text" in faults_of(loss=MyCell)[0]


def test_classes_are_brought_to_plain_settings() -> None:
    config = make_config({"cell": ("gru", MyCell), "attention": MyAttention, "horizon": 3})
    plain = json.loads(json.dumps(config.to_dict()))
    found = make_config(brought(PARTS, plain, [MyAttention, MyCell]))
    assert found.flat() == config.flat()
    with pytest.raises(RunError, match=r"This run uses the cell '.*:MyCell', .* with cells=\[.*\.MyCell\]"):
        brought(PARTS, plain, [MyAttention])


# Another kind of task, with settings of its own


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class OwnSettings:
    """Some names that forecasting has too, with other types and limits."""

    target: str | None = setting(None, "column of the label")
    levels: float = setting(0.5, "share of something", low=0, high=1, tune=Range(0.1, 0.9))
    horizon: Literal["near", "far"] = setting("near", "how far")
    sampling: int = setting(4, "how many are drawn", low=1)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class OwnTraining(TrainingSettings):
    """A training that begins elsewhere."""

    batch_size: int = otherwise(TrainingSettings, "batch_size", 16)
    watch: str = otherwise(TrainingSettings, "watch", "accuracy")


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class OwnModel(ModelSettings):
    """A model with a setting more."""

    cell: str | type | tuple[str | type, ...] = otherwise(ModelSettings, "cell", ("lstm", "gru"))
    pool: Literal["mean", "last"] = setting("mean", "how steps become one")


OWN = Parts("own", OwnSettings, OwnModel, OwnTraining, needed={"target": "The target is missing: say --target."})


def test_the_same_name_has_the_type_of_its_kind() -> None:
    own, ours = make_any_config(OWN, {"levels": "0.25", "horizon": "far"}), make_config({"levels": "25", "horizon": 9})
    assert (own.task.levels, own.task.horizon) == (0.25, "far")
    assert (ours.task.levels, ours.task.horizon) == ((25,), 9)
    assert type(own.task) is OwnSettings and type(ours.task) is ForecastSettings
    with pytest.raises(ConfigError) as caught:
        make_any_config(OWN, {"levels": 80, "horizon": 9, "qqqq": 3, "target": ("a", "b")})
    assert str(caught.value).splitlines() == [
        "Unknown setting 'qqqq'.",
        "levels must be at most 1. Got 80.0 instead.",
        "horizon must be text. Got 9 instead.",
        "target must be text. Got ('a', 'b') instead.",
    ]
    assert OWN.settings()["levels"].help != SETTINGS["levels"].help
    assert make_any_config(OWN, {"target": "a,b"}).task.target == "a,b", "one column, whatever it is called"


def test_the_parts_of_another_kind() -> None:
    config = make_any_config(OWN, {"sampling": 2})
    assert list(config.to_dict()) == ["own", "model", "training"] and config.flat() == OWN.defaults() | {"sampling": 2}
    assert (OWN.part_of()["pool"], OWN.part_of()["sampling"], OWN.part_of()["seed"]) == ("model", "own", "training")
    assert (OWN.predict, OWN.evaluate) == (NoSettings, NoSettings)


def test_otherwise_changes_the_default_alone() -> None:
    for part, base in ((OwnTraining, TrainingSettings), (OwnModel, ModelSettings)):
        first, changed = settings_of(base), settings_of(part)
        assert list(changed)[: len(first)] == list(first), "the order stays"
        for name, one in first.items():
            assert dataclasses.replace(changed[name], default=one.default) == one
    config = make_any_config(OWN, {})
    assert (config.training.batch_size, config.training.watch, config.model.cell) == (16, "accuracy", ("lstm", "gru"))
    assert make_config({}).training.batch_size is None and make_config({}).training.watch == "loss"
    found = settings_of(type(make_config({}).training))["batch_size"]
    assert found.help == f"{settings_of(TrainingSettings)['batch_size'].help}; found from the data if not given"
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        make_any_config(OWN, {"batch_size": 0})
    with pytest.raises(ConfigError, match="Unknown cell 'lsmt'"):
        make_any_config(OWN, {"cell": "lsmt"})
    assert make_any_config(OWN, {"cell": MyCell}).model.cell is MyCell


def test_toml_of_another_kind(tmp_path: Path) -> None:
    path = write(tmp_path, "[own]\nlevels = 0.5\n[model]\npool = 'last'\n[training]\nwatch = 'loss'\n")
    assert read_toml(path, OWN) == {"levels": 0.5, "pool": "last", "watch": "loss"}
    with pytest.raises(ConfigError) as caught:
        read_toml(path, PARTS)
    assert [str(line).split(": ")[1] for line in str(caught.value).splitlines()] == [
        "Unknown part [own].", "Unknown setting 'pool' in [model].",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"Unknown part \[forecast\]"):
        read_toml(write(tmp_path, "[forecast]\nhorizon = 3\n"), OWN)


def test_what_is_needed() -> None:
    with pytest.raises(ConfigError, match="The horizon is missing: say how many steps ahead to forecast"):
        make_config({}).require()
    make_config({"horizon": 3}).require()
    with pytest.raises(ConfigError, match="The target is missing"):
        make_any_config(OWN, {}).require()
    make_any_config(OWN, {"target": "y"}).require()
    Parts("free", NoSettings)
    make_any_config(Parts("free", NoSettings), {"seed": 1}).require()


def test_what_verbs_ask_besides() -> None:
    assert make_part(ForecastAsked, {"steps": "3"}).steps == 3 and make_part(ForecastAsked, {}).steps is None
    with pytest.raises(ConfigError) as caught:
        make_part(BacktestAsked, {"step": 0, "setp": 2})
    assert str(caught.value).splitlines() == [
        "Unknown setting 'setp'. Did you mean 'step'?", "step must be at least 1. Got 0 instead.",
    ]  # fmt: skip
    assert not vars(make_part(NoSettings, {}))
