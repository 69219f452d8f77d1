"""The sentences of texts: from tokens to sentences and back.

Shapes: B texts, T tokens, S sentences of the longest text, n sentences of all texts, L tokens of the longest sentence,
E numbers of a token, N heads, R looks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sentences:
    """Where the tokens of a batch of texts stand: a row for each sentence that there is, so that nothing is padded
    but the shorter ones.

    ``rows`` (B, T) is the sentence of each token among all n, ``columns`` (B, T) its place in it; both are zero where
    ``real`` (B, T) is not True.
    """

    rows: Tensor
    columns: Tensor
    real: Tensor
    counts: Tensor  # (B,) sentences of each text

    @classmethod
    def of(cls, numbers: Tensor, mask: Tensor | None) -> "Sentences":
        """Find them by the ``numbers`` (B, T) of the sentences, from 0 in each text, where ``mask`` (B, T) allows."""
        real = torch.ones_like(numbers, dtype=torch.bool) if mask is None else mask
        numbers = numbers.long().masked_fill(~real, -1)
        counts = numbers.amax(1) + 1
        steps = torch.arange(numbers.shape[1], device=numbers.device).expand_as(numbers)
        begins = torch.ones_like(real)
        begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
        first = torch.where(begins, steps, 0).cummax(1).values
        rows = (counts.cumsum(0) - counts).unsqueeze(1) + numbers
        return cls(rows.masked_fill(~real, 0), (steps - first).masked_fill(~real, 0), real, counts)

    def words(self, vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the ``vectors`` (B, T, E) of tokens by sentence (n, L, E), and which are real (n, L); None for all."""
        rows, columns = self.rows[self.real], self.columns[self.real]
        shape = int(self.counts.sum()), int(columns.max()) + 1
        found = vectors.new_zeros(*shape, vectors.shape[-1])
        found = found.index_put((rows, columns), vectors[self.real])
        mask = torch.zeros(shape, dtype=torch.bool, device=vectors.device)
        mask[rows, columns] = True
        return found, None if bool(mask.all()) else mask

    def texts(self, vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the ``vectors`` (n, E) of sentences by text (B, S, E), and which are real (B, S); None for all."""
        most = int(self.counts.max())
        mask = torch.arange(most, device=vectors.device) < self.counts.unsqueeze(1)
        if bool(mask.all()):
            return vectors.view(len(self.counts), most, -1), None
        return vectors.new_zeros(*mask.shape, vectors.shape[1]).masked_scatter(mask.unsqueeze(-1), vectors), mask

    def over_tokens(self, sentences: Tensor, words: Tensor) -> Tensor:
        """Return the weights of tokens (B, ..., R, T), ``a_t = a_i · a_it``, token t being in sentence i.

        ``sentences`` are those of sentences (B, ..., R, S), ``words`` those of words (n, 1, L), or (n, N, 1, L) with
        heads, whose mean is taken.
        """
        inside = words.flatten(1, -2).mean(1)[self.rows, self.columns]  # (B, T)
        number = self.rows - (self.counts.cumsum(0) - self.counts).unsqueeze(1)
        number = number.masked_fill(~self.real, 0)
        shape = len(number), *[1] * (sentences.dim() - 2), -1
        outside = sentences.gather(-1, number.view(shape).expand(*sentences.shape[:-1], -1))
        return (outside * inside.view(shape)).masked_fill(~self.real.view(shape), 0.0)
