"""A picture as a vector, or as one for each of its cells: small convolutional networks that keep where things are.

Shapes: R pictures, C channels, H rows, W columns, F numbers of a picture, E numbers of a cell.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 4  # rows and columns that are left of a picture, at most, before it becomes a vector
POSITION = 0.3  # deviation of what rows and columns of cells have to begin with


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


class Level(nn.Module):
    """Two layers of 3 x 3 pixels, behind which the largest of so many rows and columns is kept.

        x' = relu(norm(max(W_2 * relu(norm(W_1 * x)))))

    The second layer sees shapes where one alone sees edges: Simonyan & Zisserman, arXiv 1409.1556.
    """

    def __init__(self, before: int, after: int, pool: tuple[int, int]):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.between = PixelNorm(after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.norm = PixelNorm(after)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Return (R, F, H / h, W / w), rounded up, of (R, C, H, W), where ``pool`` is (h, w)."""
        x = self.second(self.between(self.first(x)).relu())
        return self.norm(F.max_pool2d(x, self.pool, ceil_mode=True)).relu()


class Cells(NamedTuple):
    """A picture cut into cells of equal size; the last row and column may be narrower."""

    rows: int
    columns: int
    height: int  # pixels of a cell
    width: int

    @classmethod
    def of(cls, shape: tuple[int, int, int], most: int) -> "Cells":
        """Return the cells of a picture of this ``shape`` (C, H, W): each side is halved until there are few enough."""
        (rows, height), (columns, width) = (_halved(side, most) for side in shape[1:])
        return cls(rows, columns, height, width)

    @property
    def number(self) -> int:
        """How many there are."""
        return self.rows * self.columns


def _halved(side: int, most: int) -> tuple[int, int]:
    """Return how many cells a ``side`` has, and how many pixels each of them."""
    size = 1
    while -(-side // size) > most:
        size *= 2
    return -(-side // size), size


class Grid(nn.Module):
    """A picture as a vector for each of its cells, in reading order: what is there, and where that is.

        x_rc = relu(norm(W f_rc + b)) + row_r + column_c

    f are levels of two layers of 3 x 3 pixels, each of which keeps the largest of every 2 x 2, so that what a cell
    knows is of its own pixels and of those near by. Without filters f is the pixels of the cell, and x is not
    normalised. Rows and columns have learned vectors. The cells are those that are looked at in Xu et al. 2015,
    arXiv 1502.03044.
    """

    def __init__(self, shape: tuple[int, int, int], cells: Cells, filters: int, width: int):
        super().__init__()
        colours = shape[0]
        self.cells = cells
        pools = _pools(cells) if filters else []
        sizes = [colours, *(min(2 * filters, max(1, filters // 2) * 2**n) for n in range(len(pools)))]
        self.levels = nn.Sequential(*map(Level, sizes, sizes[1:], pools)) if pools else None
        self.linear = nn.Linear(sizes[-1] if filters else colours * cells.height * cells.width, width)
        self.norm = PixelNorm(width) if filters else nn.Identity()
        self.row = nn.Parameter(torch.randn(cells.rows, width) * POSITION)
        self.column = nn.Parameter(torch.randn(cells.columns, width) * POSITION)

    def forward(self, x: Tensor) -> Tensor:
        """Return vectors (R, cells, E) of pictures (R, C, H, W)."""
        found = self.levels(x) if self.levels else self._pixels(x)
        places = self.row.unsqueeze(1) + self.column
        found = self.linear(found.permute(0, 2, 3, 1))
        if self.levels:  # most cells are empty: what is in the others stands out
            found = self.norm(found.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (found.relu() + places).flatten(1, 2)

    def _pixels(self, x: Tensor) -> Tensor:
        """Return all pixels of each cell (R, C·h·w, rows, columns); there is nothing beyond the edge."""
        rows, columns, height, width = self.cells
        x = F.pad(x, (0, columns * width - x.shape[3], 0, rows * height - x.shape[2]))
        return F.unfold(x, (height, width), stride=(height, width)).unflatten(2, (rows, columns))


def _pools(cells: Cells) -> list[tuple[int, int]]:
    """Return which rows and columns each layer makes one of, until a cell is one place; there are two layers at least.

    A side that has few cells already is left alone first.
    """
    tall, wide = cells.height.bit_length() - 1, cells.width.bit_length() - 1
    count = max(2, tall, wide)
    return [(1 + (count - n <= tall), 1 + (count - n <= wide)) for n in range(count)]
