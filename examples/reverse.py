"""Say a sequence backwards: the classical encoder and decoder with attention, without forecasting.

Run it with ``python examples/reverse.py``. The picture at the end shows that attention runs over the input
from its end to its beginning, which nobody told it.
"""

import torch
from torch import nn
from torch.nn import functional as F

from recurra import Recurrent
from recurra.attention import AdditiveAttention
from recurra.cells import GRUCell
from recurra.data.batch import Batch
from recurra.nn.attending import AttendingCell
from recurra.nn.layers import Embed
from recurra.nn.models import Output, Writer
from recurra.settings.config import TrainingSettings
from recurra.training.loop import fit
from recurra.training.task import Loss, Memorised

SYMBOLS, LENGTH, WIDTH, HIDDEN = 6, 8, 16, 32


class Reversing:
    """Write the input from its end, each symbol after the right one before it."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        begin = torch.full((len(batch), 1), SYMBOLS)
        return model(batch, torch.cat([begin, batch.targets[:, :-1]], 1))

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss.over(F.cross_entropy(output.prediction.mT, batch.targets, reduction="none"))


def words(count: int, seed: int) -> Batch:
    x = torch.randint(0, SYMBOLS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return Batch(x, x.flip(1))


torch.manual_seed(0)
encoder = Recurrent([[GRUCell(WIDTH, HIDDEN), GRUCell(WIDTH, HIDDEN)]])  # both directions
decoder = AttendingCell(GRUCell(WIDTH, HIDDEN), AdditiveAttention(HIDDEN, 2 * HIDDEN))
model = Writer(
    Embed(WIDTH, symbols=SYMBOLS), encoder, decoder, Embed(WIDTH, symbols=SYMBOLS + 1), nn.Linear(HIDDEN, SYMBOLS)
)
settings = TrainingSettings(batch_size=64, max_epochs=4, epoch_steps=50, learning_rate=0.01)
for epoch in fit(model, Reversing(), Memorised(words(5000, 1)), Memorised(words(200, 2)), settings):
    print(f"epoch {epoch.number}: validation loss {epoch.valid_loss:.4f}")

test = words(100, 3)
with torch.no_grad():
    begin = torch.full((len(test),), SYMBOLS)
    output = model.write(test, begin, LENGTH, lambda said: said.argmax(-1))
right = (output.prediction.argmax(-1) == test.targets).float().mean()
print(f"\n{right:.0%} of the symbols are right.")

print("\nA row is a symbol that was written, a column one that was read:")
for row in output.weights.mean(0):
    print("  " + "".join(" .:*#"[min(4, int(5 * weight))] for weight in row))
