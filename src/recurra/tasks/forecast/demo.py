"""What the demo forecasts."""

from dataclasses import replace

from ...data.series import infer_schema, to_panel
from ..base import Demo

SETTINGS = {
    "horizon": 52,
    "lookback": 156,
    "segment": 13,
    "hidden_size": 32,
    "batch_size": 64,
    "epoch_steps": 20,
    "max_epochs": 15,
    "patience": 3,
    "learning_rate": 5e-3,
}


def make_demo() -> Demo:
    """Return weekly CO2 at Mauna Loa 1958-2001, with gaps, from statsmodels."""
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    about = "weekly CO2 in the air at Mauna Loa, Hawaii, 1958 to 2001 (statsmodels.datasets.co2)"
    return Demo(replace(panel, notes=(*notes, *panel.notes)), f"forecasts {about}", SETTINGS)
