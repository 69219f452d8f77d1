"""Forecast a year of weekly CO2 from four decades of it, and see where the model looked.

Run it with ``python examples/forecast.py``. It takes a few seconds; the settings are small on purpose.
"""

from statsmodels.datasets import co2

from recurra import Forecaster

HORIZON = 52

table = co2.load_pandas().data  # weekly, with gaps, the time in the index
past, future = table[:-HORIZON], table[-HORIZON:]

forecaster = Forecaster(
    horizon=HORIZON,
    lookback=156,
    segment=13,
    hidden_size=16,
    cell="lstm_gru",
    attention="additive",
    max_epochs=4,
    epoch_steps=50,
    learning_rate=3e-3,
).fit(past)
for note in forecaster.notes_:
    print("found:", note)

forecast = forecaster.predict().set_index("ds")
truth = future["co2"].reindex(forecast.index)
inside = truth.between(forecast["yhat-lo-90"], forecast["yhat-hi-90"])
print(f"\nmean absolute error {(forecast['yhat'] - truth).abs().mean():.2f} ppm")
print(f"truth inside the 90 % interval {inside[truth.notna()].mean():.0%} of the time")

looked = forecaster.attention_table()
weights = looked.groupby("past_from")["weight"].mean().nlargest(3)
print("\nThe quarters of the past it looked at most, on average:")
for start, weight in weights.items():
    print(f"  from {start:%Y-%m-%d}: {weight:.0%}")
