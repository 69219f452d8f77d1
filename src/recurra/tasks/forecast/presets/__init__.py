"""Whole architectures by name: settings that go together, and for some a core of their own.

A preset fills in what is left open; a setting that is given goes before it. To add one, name it here and, if it is no
composition of what is there, write ``make_core(config, layout, head)`` in a file of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

# What is left open without a preset.
USUAL: dict[str, Any] = {
    "cell": "gru",
    "decoder": "segment",
    "normalise": "last",
    "channels": "independent",
    "loss": "quantile",
    "combine": True,
}
# Papers answer with one network.
OF_PAPERS: dict[str, Any] = {"cell": "lstm", "combine": False}


@dataclass(frozen=True)
class Preset:
    """An architecture: what it is, in one line with its paper, and what it fills in."""

    line: str
    settings: Mapping[str, Any]
    core: str = ""  # the module of its ``make_core``; by the decoder if it has none
    single: bool = False  # whether its core has a place for one layer of one cell, and no other

    def make_core(self, *made_from: Any) -> Any:
        """Make its core from config, layout and head."""
        return import_module(f"{__name__}.{self.core}").make_core(*made_from)


PRESETS: dict[str, Preset] = {
    "segment": Preset("segments in, segments out, all at once; reads lags and copies", {}),
    "vanilla": Preset(
        "the textbook: one layer reads step by step, another one writes step by step, nothing is looked at (Sutskever "
        "et al. 2014, arXiv 1409.3215)",
        OF_PAPERS | {"decoder": "vanilla", "attention": "none"},
    ),
    "seq2seq": Preset(
        "encoder and decoder, and the decoder looks at all that was read at every step (Bahdanau et al. 2015, arXiv "
        "1409.0473; attention='general' is Luong et al. 2015, arXiv 1508.04025)",
        OF_PAPERS | {"cell": "gru", "decoder": "vanilla", "attention": "additive"},
    ),
    "da_rnn": Preset(
        "looks at the drivers of a series at every step, then at all steps (Qin et al. 2017, arXiv 1704.02971)",
        OF_PAPERS | {"attention": "none", "loss": "squared"},
        "da_rnn",
        single=True,
    ),
    "tpa_lstm": Preset(
        "looks at the patterns that each unit of an LSTM went through (Shih et al. 2019, arXiv 1809.04206)",
        OF_PAPERS | {"attention": "none", "channels": "joint", "loss": "absolute"},
        "tpa_lstm",
    ),
    "lstnet": Preset(
        "filters, a GRU, one that skips whole seasons, and a straight line beside them (Lai et al. 2018, arXiv "
        "1703.07015)",
        OF_PAPERS | {"attention": "none", "cell": "gru", "channels": "joint", "normalise": "none", "loss": "absolute"},
        "lstnet",
        single=True,
    ),
    "mqrnn": Preset(
        "quantiles of all steps from one LSTM, by a layer for all of them and one for each (Wen et al. 2017, arXiv "
        "1711.11053)",
        OF_PAPERS | {"attention": "none"},
        "mqrnn",
    ),
    "tft": Preset(
        "chooses variables, reads and writes by an LSTM, looks at all steps, and closes by gates what is not needed "
        "(Lim et al. 2021, arXiv 1912.09363)",
        OF_PAPERS | {"attention": "interpretable_multi_head"},
        "tft",
    ),
    "es_rnn": Preset(
        "exponential smoothing whose shares are learned of each series, and dilated layers on what it leaves (Smyl "
        "2020, https://doi.org/10.1016/j.ijforecast.2019.03.017)",
        OF_PAPERS | {"attention": "none", "normalise": "none", "cycle": False},
        "es_rnn",
        single=True,
    ),
    "deepar": Preset(
        "a distribution of each step after what was drawn of the one before it; answers are quantiles of many paths "
        "(Salinas et al. 2017, arXiv 1704.04110)",
        OF_PAPERS | {"attention": "none", "normalise": "mean", "loss": "gaussian"},
        "deepar",
    ),
}


def filled_in(preset: str) -> dict[str, Any]:
    """Return what is filled in for a ``preset``."""
    return USUAL | dict(PRESETS[preset].settings)


def has_own_core(preset: str) -> bool:
    """Tell whether a preset is more than settings of what is there without it."""
    return bool(PRESETS[preset].core)
