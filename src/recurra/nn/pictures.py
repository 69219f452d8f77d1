"""A picture as a vector: a small convolutional network that keeps roughly where things are.

Shapes: R pictures, C channels, H rows, W columns, F numbers of a picture.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 4  # rows and columns that are left of a picture, at most, before it becomes a vector


class PixelNorm(nn.BatchNorm2d):
    """Batch normalisation of every filter over all pixels of all pictures."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (R, F, H, W) normalised; a single pixel has no deviation, there earlier ones serve."""
        measure = self.training and x.numel() > x.shape[1]
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, measure, self.momentum or 0.1, self.eps
        )


class Pictures(nn.Module):
    """Layers of ``relu(norm(W * x))`` of 3 x 3 pixels, after each of which the largest of every 2 x 2 is kept.

    There are as many layers as it takes until no more than 4 x 4 places are left; what was found in each of them is the
    vector. So it is known where in a picture something is, which a mean over all places would forget, but only
    roughly. The layers are those of Simonyan & Zisserman, arXiv 1409.1556, few and small.
    """

    def __init__(self, shape: tuple[int, int, int], filters: int):
        super().__init__()
        channels, *sides = shape
        sizes = [channels]
        while len(sizes) == 1 or max(sides) > SIDE:
            sides = [-(-side // 2) if max(sides) > SIDE else side for side in sides]
            sizes.append(min(2 * filters, max(1, filters // 2) * 2 ** (len(sizes) - 1)))
        self.halved = max(shape[1:]) > SIDE
        self.output_size = sizes[-1] * sides[0] * sides[1]
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(sizes))
        self.norms = nn.ModuleList(PixelNorm(size) for size in sizes[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Return vectors (R, F) of pictures (R, C, H, W)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x)).relu()
            x = F.max_pool2d(x, 2, ceil_mode=True) if self.halved else x
        return x.flatten(1)
