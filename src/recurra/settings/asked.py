"""What a verb that trains is asked besides the settings of a model: flags, and keys of a settings file."""

from dataclasses import dataclass
from typing import Literal

from .base import setting


@dataclass(kw_only=True, eq=False, repr=False)
class DataAsked:
    """On which data is trained, how they are cut, and where the run goes."""

    data: str | None = setting(None, "the file to train on", metavar="FILE")
    task: str | None = setting(None, "the kind of task", metavar="NAME")
    out: str | None = setting(None, "the run folder; a fresh one under runs/ if not given", metavar="FOLDER")
    overwrite: bool = setting(False, "replace the run in the output folder")
    test_size: int | None = setting(
        None, "how much of the end is held out to judge by; found if not given", low=0, metavar="NUMBER"
    )
    test_data: str | None = setting(None, "judge on this file instead of holding out a part", metavar="FILE")
    max_rows: int | None = setting(None, "use only the first rows of each series", low=1, metavar="NUMBER")
    resume: str | None = setting(
        None, "go on in the folder of what was stopped; all that it was asked for may be left out", metavar="FOLDER"
    )
    json: bool = setting(False, "print the result as one JSON value to stdout")


@dataclass(kw_only=True, eq=False, repr=False)
class TrainAsked(DataAsked):
    """What one model begins from."""

    fine_tune: str | None = setting(
        None,
        "go on from this run on DATA, with its weights and settings, of which those of the training may change",
        metavar="RUN",
    )


@dataclass(kw_only=True, eq=False, repr=False)
class CompareAsked(DataAsked):
    """What is compared, and with how many seeds."""

    cells: tuple[str, ...] = setting(
        ("rnn", "lstm", "gru", "lstm/gru", "parallel", "lstm_gru"),
        "cells and stacks of them, such as lstm/gru",
        metavar="NAMES",
    )
    attentions: tuple[str, ...] = setting(("none", "additive"), "attentions; none for models without", metavar="NAMES")
    recipes: tuple[str, ...] | None = setting(
        None, "files of settings, each a model to compare besides, with what its file says", metavar="FILES"
    )
    seeds: int = setting(3, "how many seeds, from seed on, each is trained with", low=1, metavar="NUMBER")
    equal_parameters: bool = setting(False, "adjust hidden sizes until parameter counts agree")


@dataclass(kw_only=True, eq=False, repr=False)
class TuneAsked(DataAsked):
    """Which settings are searched, and how."""

    search: tuple[str, ...] | None = setting(
        None,
        "settings that are searched, such as hidden_size,dropout or hidden_size=16..128; the usual ones of the task if "
        "not given",
        metavar="NAMES",
    )
    strategy: Literal["random", "grid", "optuna"] = setting(
        "random", "how the next trial is chosen, by chance, from a grid, or by Optuna, which learns from those before"
    )
    trials: int = setting(
        30, "how many trainings there are, the first one with the settings as they are", low=1, metavar="NUMBER"
    )
    minutes: float | None = setting(
        None, "begin no more trainings after so many minutes, and end the one that runs", low=0.01, metavar="NUMBER"
    )
    prune: Literal["median", "halving", "none"] = setting(
        "median", "how hopeless trainings are ended early, by the median of the others, or all but the best third"
    )
    jobs: int | None = setting(
        None,
        "trainings that run at the same time, each in a process of its own; one if not given",
        low=1,
        metavar="NUMBER",
    )
