"""Every setting, once: a Python argument, a TOML key, a flag and a search key at the same time."""

from .asked import CompareAsked, DataAsked, TrainAsked, TuneAsked
from .base import Range, Setting, described, otherwise, setting, settings_of, split, written
from .config import Config, NoSettings, Parts, check_all, filled, make_config, make_part
from .model import ModelSettings
from .toml import read_toml
from .training import ATTENTION_PENALTIES, TrainingSettings

__all__ = [
    "ATTENTION_PENALTIES",
    "CompareAsked",
    "Config",
    "DataAsked",
    "ModelSettings",
    "NoSettings",
    "Parts",
    "Range",
    "Setting",
    "TrainAsked",
    "TrainingSettings",
    "TuneAsked",
    "check_all",
    "described",
    "filled",
    "make_config",
    "make_part",
    "otherwise",
    "read_toml",
    "setting",
    "settings_of",
    "split",
    "written",
]
