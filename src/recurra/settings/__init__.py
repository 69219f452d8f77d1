"""Every setting, once: a Python argument, a TOML key, a flag and a search key at the same time."""

from .base import Range, Setting, otherwise, setting, settings_of
from .config import Config, NoSettings, Parts, make_config, make_part
from .model import ModelSettings
from .toml import read_toml
from .training import TrainingSettings

__all__ = [
    "Config",
    "ModelSettings",
    "NoSettings",
    "Parts",
    "Range",
    "Setting",
    "TrainingSettings",
    "make_config",
    "make_part",
    "otherwise",
    "read_toml",
    "setting",
    "settings_of",
]
