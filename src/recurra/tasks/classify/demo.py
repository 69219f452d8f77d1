"""What the demo classifies."""

from dataclasses import replace

import numpy as np

from ...data.cases import cases_of
from ..base import Demo

SETTINGS = {
    "hidden_size": 16,
    "segment": 2,
    "filters": 16,
    "batch_size": 32,
    "epoch_steps": 20,
    "max_epochs": 9,
    "last_epochs": 3,
    "patience": 4,
    "learning_rate": 1e-2,
}
CASES = 800  # of 1,797, so that 28 trainings take a minute


def make_demo() -> Demo:
    """Return handwritten digits of 8 × 8 pixels as sequences of 8 rows, from scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images[:CASES].transpose(0, 2, 1)  # cases, columns as channels, rows as time
    channels = [f"column_{n}" for n in range(1, images.shape[1] + 1)]
    cases = cases_of(np.ascontiguousarray(images), digits.target[:CASES], channels)
    note = f"the first {CASES:,} of {len(digits.images):,} pictures, each read row by row, eight pixels at a time"
    about = "classifies handwritten digits of 8 × 8 pixels (sklearn.datasets.load_digits), read row by row"
    return Demo(replace(cases, notes=(note,)), about, SETTINGS)
