"""The network that reads a text by its sentences.

Shapes: B texts, T tokens, S sentences of a text, n sentences of all texts, L tokens of a sentence, G pieces of a token,
O numbers that come out, R looks.
"""

from typing import NamedTuple

from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.layers import Pool, Recurrent, SelfAttention, drop
from ...nn.models import Output
from ...nn.sentences import Sentences
from .network import CaseNet, Tokens


class Level(NamedTuple):
    """What reads a sequence of words, or of sentences, to one vector."""

    recurrent: Recurrent
    pool: Pool


class HierarchyNet(CaseNet):
    """Words are read to the vector of their sentence, and sentences to that of the text.

        h_it = recurrent(x_i1, ..., x_iT),  s_i = Σ_t a_it h_it
        h_i  = recurrent(s_1, ..., s_S),    v   = Σ_i a_i h_i

    Each level has a recurrent layer and a read-out of its own. With the attention ``additive``, whose learned query is
    the bias b, weights are those of the paper: ``u = tanh(W h + b)``, ``a = softmax(u · u_w)``. The vectors of
    sentences are dropped as what one layer hands to the next is. Sentences look ``among`` each other, where that is
    asked for. What is returned as weights (B, R, T) is what every word weighs in the text: ``a_i a_it``.
    Yang et al. 2016, https://aclanthology.org/N16-1174.
    """

    def __init__(
        self,
        embed: Tokens,
        words: Level,
        sentences: Level,
        sizes: tuple[int, int],
        dropout: float,
        among: SelfAttention | None = None,
    ):
        super().__init__(embed, sentences.recurrent, sentences.pool, sizes, dropout, among)
        self.words: nn.ModuleDict = nn.ModuleDict({"recurrent": words.recurrent, "pool": words.pool})

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the answers (B, O) to ``batch.inputs`` (B, T, 2 + G): tokens, the last number of each its sentence."""
        assert self.pool is not None
        found = Sentences.of(batch.inputs[..., -1], batch.mask)
        tokens, mask = found.words(self.embed(batch.inputs[..., :-1], None)[0])
        vectors, inside = self.words["pool"](self.words["recurrent"](tokens, mask=mask), mask)
        vectors, mask = found.texts(vectors)
        how = self.recurrent.regularisers
        vectors = drop(vectors, how.dropout, self.training, how.locked)
        read = self.recurrent(vectors, mask=mask, record=record)
        among: Tensor | None = None
        if self.among is not None:
            states, among = self.among(read.outputs, mask)
            read = read._replace(outputs=states)
        summary, weights = self.pool(read, mask)
        if weights is not None:
            weights = found.over_tokens(weights, inside)
        return Output(self.out(self.dropout(summary)), weights, read, self_weights=among)
