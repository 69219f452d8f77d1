"""Settings: every fault is named at once, in words, whether they come from Python, TOML or a command line."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError
from recurra.settings.config import PARTS, allowed_types, checked, defaults, fields, make_config, read_toml


def faults_of(**settings: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_config(settings)
    return str(caught.value).splitlines()


def write(path: Path, text: str) -> Path:
    path = path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", fields())
def test_every_setting_is_described(name: str) -> None:
    _, field = fields()[name]
    described = field.metadata["help"]
    assert len(described) > 10 and described[0].islower() == described[0].isalpha() and not described.endswith(".")
    if field.default is not None:
        assert checked(field, field.default) == field.default, "the default passes its own check"
    else:
        assert type(None) in allowed_types(field)


def test_a_name_belongs_to_one_part() -> None:
    every = [field.name for part in PARTS.values() for field in dataclasses.fields(part)]
    assert len(every) == len(set(every)) == len(fields()) == len(defaults())


def test_nothing_given_gives_the_defaults() -> None:
    assert make_config({}).flat() == defaults()
    assert list(make_config({}).to_dict()) == ["forecast", "model", "training"]


def test_values_land_in_their_part() -> None:
    config = make_config({"horizon": 7, "cell": "lstm", "seed": 3})
    assert (config.forecast.horizon, config.model.cell, config.training.seed) == (7, "lstm", 3)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("horizn", "horizon"),
        ("hiden_size", "hidden_size"),
        ("lr_learning_rate", "learning_rate"),
        ("batchsize", "batch_size"),
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
        ("hidden_size", None, "hidden_size must be a whole number. Got None instead."),
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
        ("loss", "mse", "Choose one of: quantile, absolute, squared, huber."),
        ("levels", (), "levels must name at least one value"),
        ("levels", (80, 100), "levels must be percentages from 1 to 99"),
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


def test_limits_are_inclusive() -> None:
    config = make_config({"dropout": 0.99, "horizon": 1, "zoneout": 0})
    assert (config.model.dropout, config.forecast.horizon, config.model.zoneout) == (0.99, 1, 0.0)


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
@given(st.dictionaries(st.sampled_from(sorted(fields())), VALUES, max_size=6))
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
    one = make_config(read_toml(flat))
    parts = write(
        tmp_path,
        '[forecast]\nhorizon = 12\nlevels = "50"\n[model]\ncell = "lstm,gru"\n[training]\nlearning_rate = 1e-2\n',
    )
    two = make_config(read_toml(parts))
    assert (
        one.flat()
        == two.flat()
        == defaults()
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
    assert make_config(read_toml(write(tmp_path, "\n".join(lines)))).flat() == defaults() | {"horizon": 3}


def test_toml_names_every_fault(tmp_path: Path) -> None:
    text = "seed = 1\n[model]\nhorizon = 3\nhiden_size = 4\n[modle]\ncell = 'gru'\n[training]\nseed = 2\n"
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    assert str(caught.value).splitlines() == [
        f"{path}: The setting horizon belongs in [forecast], not in [model].",
        f"{path}: Unknown setting 'hiden_size' in [model]. Did you mean 'hidden_size'?",
        f"{path}: Unknown part [modle]. Did you mean 'model'?",
        f"{path}: The setting seed is given twice.",
    ]


def test_toml_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no settings file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path)
    with pytest.raises(ConfigError, match="is not a TOML file"):
        read_toml(write(tmp_path, "horizon: 3"))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        read_toml(binary)
