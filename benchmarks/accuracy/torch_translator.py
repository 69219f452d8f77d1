"""A translator as one writes it by hand with torch.nn: an encoder from both sides, a decoder that looks at each step.

    python benchmarks/accuracy/torch_translator.py TRAIN.de TRAIN.en TEST.de TEST.en [--cell gru] [--attention additive]

Nothing of recurra is imported. ``Translator`` is the network of recurra's task ``seq2seq`` with one layer of decoder:
``take_weights`` copies a state_dict of that, so that both can be held against each other and timed beside each other.
Texts are tokens between blanks in small letters here, which is enough to train and to see BLEU on them; files may be
packed as .gz. Numbers of units: 0 pads, 1 is not known, 2 begins and ends a text.

Shapes: B texts, T units read, Q units written, E numbers of a unit, H hidden units, V units that are known.
"""

import argparse
import gzip
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAD, UNKNOWN, END = 0, 1, 2
LAYERS = {"gru": (nn.GRU, nn.GRUCell), "lstm": (nn.LSTM, nn.LSTMCell)}
State = tuple[Tensor, ...]  # (B, H) each: h, and of an LSTM its memory


@dataclass(frozen=True)
class Sizes:
    """How large a network is, and of what it is made."""

    source: int  # units that are known
    target: int
    embedding: int = 256
    hidden: int = 256
    layers: int = 1  # of the encoder
    cell: str = "gru"
    attention: str = "additive"
    feeding: bool = True  # h~ is read with the next unit
    tied: bool = True  # the vectors of units are also the weights of the last layer
    dropout: float = 0.0  # of vectors, between layers, and before the last one


class Attention(nn.Module):
    """Where each step looks: ``v · tanh(W s + U h_j)`` (additive) or ``h_j · W s`` (general)."""

    def __init__(self, kind: str, query_size: int, key_size: int):
        super().__init__()
        self.query = nn.Linear(query_size, key_size, bias=False)
        self.key = nn.Linear(key_size, key_size, bias=False) if kind == "additive" else None
        self.energy = nn.Linear(key_size, 1, bias=False) if kind == "additive" else None

    def keys(self, states: Tensor) -> Tensor:
        """Return what is compared with, once for all steps (B, T, K)."""
        return states if self.key is None else self.key(states)

    def forward(self, query: Tensor, keys: Tensor, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a step (B, H) sees (B, K), and its weights (B, T)."""
        asked = self.query(query).unsqueeze(1)
        if self.energy is not None:
            scores = self.energy(torch.tanh(asked + keys)).squeeze(-1)
        else:
            scores = torch.bmm(keys, asked.mT).squeeze(-1)
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        return torch.bmm(weights.unsqueeze(1), states).squeeze(1), weights


class Translator(nn.Module):
    """Encoder, decoder and last layer."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        layer, cell = LAYERS[sizes.cell]
        width, hidden = sizes.embedding, sizes.hidden
        self.sizes, self.dropout = sizes, nn.Dropout(sizes.dropout)
        self.read = nn.Embedding(sizes.source, width, padding_idx=PAD)
        self.said = nn.Embedding(sizes.target, width, padding_idx=PAD)
        between = sizes.dropout if sizes.layers > 1 else 0.0
        self.encoder = layer(width, hidden, sizes.layers, batch_first=True, bidirectional=True, dropout=between)
        self.count = 2 if sizes.cell == "lstm" else 1  # tensors in a state
        self.bridge = nn.Linear(2 * self.count * hidden, self.count * hidden)
        self.decoder = cell(width + hidden * sizes.feeding, hidden)
        self.attention = Attention(sizes.attention, hidden, 2 * hidden)
        self.combine = nn.Linear(3 * hidden, hidden, bias=False)
        self.narrow = nn.Linear(hidden, width, bias=False) if sizes.tied and width != hidden else nn.Identity()
        self.out = nn.Linear(width if sizes.tied else hidden, sizes.target)
        for vectors in (self.read, self.said):
            nn.init.normal_(vectors.weight, std=width**-0.5)
            nn.init.zeros_(vectors.weight[PAD])
        nn.init.zeros_(self.out.bias)
        if sizes.tied:
            self.out.weight = self.said.weight

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, State]:
        """Return the states (B, T, 2 H), the keys, which are real (B, T), and where the decoder begins."""
        x = self.dropout(self.read(source))
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True)
        every = last if isinstance(last, tuple) else (last,)
        # Of each direction of the last layer h, and then its memory.
        joined = torch.cat([part[side] for side in (-2, -1) for part in every], -1)
        begin = torch.tanh(self.bridge(joined)).chunk(self.count, -1)
        mask = torch.arange(states.shape[1], device=source.device) < lengths.to(source.device).unsqueeze(1)
        return states, self.attention.keys(states), mask, begin

    def step(
        self, x: Tensor, output: Tensor, state: State, memory: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, State, Tensor]:
        """Return h~ (B, H), the state and where it looked, from a vector (B, E) and the last h~."""
        states, keys, mask = memory
        x = torch.cat([x, output], -1) if self.sizes.feeding else x
        found = self.decoder(x, state if self.count > 1 else state[0])
        state = found if isinstance(found, tuple) else (found,)
        seen, weights = self.attention(state[0], keys, states, mask)
        return torch.tanh(self.combine(torch.cat([seen, state[0]], -1))), state, weights

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the scores (.., V) of what comes next after h~ (.., H)."""
        scores: Tensor = self.out(self.narrow(self.dropout(outputs)))
        return scores

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Return the scores (n, V) of the n real units of ``target`` (B, Q), each after the right ones before it."""
        states, keys, mask, state = self.encode(source, lengths)
        previous = F.pad(target[:, :-1], (1, 0), value=END)
        x, outputs = self.dropout(self.said(previous)), [state[0].new_zeros(state[0].shape)]
        for at in range(target.shape[1]):
            output, state, _ = self.step(x[:, at], outputs[-1], state, (states, keys, mask))
            outputs.append(output)
        return self.scores(torch.stack(outputs[1:], 1)[target != PAD])

    def loss(self, source: Tensor, lengths: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the mean cross entropy of all units that are written."""
        scores = self(source, lengths, target)
        return F.cross_entropy(scores, target[target != PAD], label_smoothing=smoothing)

    @torch.no_grad()
    def greedy(self, source: Tensor, lengths: Tensor, most: int) -> list[list[int]]:
        """Return for each text the likeliest unit at every step, up to its end or ``most`` units."""
        states, keys, mask, state = self.encode(source, lengths)
        output, units = torch.zeros_like(state[0]), torch.full_like(lengths, END).to(source.device)
        said, ended = [], torch.zeros_like(units, dtype=torch.bool)
        for _ in range(most):
            output, state, _ = self.step(self.said(units), output, state, (states, keys, mask))
            units = self.scores(output).index_fill(1, units.new_tensor([PAD]), -torch.inf).argmax(-1)
            said.append(units.masked_fill(ended, END))
            ended = ended | (units == END)
            if ended.all():
                break
        return [_until_end(row) for row in torch.stack(said, 1).tolist()]

    @torch.no_grad()
    def beam(self, source: Tensor, lengths: Tensor, most: int, width: int, penalty: float = 1.0) -> list[list[int]]:
        """Return the best answer to each text, one text after the other, among ``width`` that are followed.

        log P of a whole answer is divided by ``((5 + n) / 6) ** penalty``, n its units with the end (Wu et al. 2016).
        """
        found = []
        for row in range(len(source)):
            size = int(lengths[row])
            found.append(self._beam_of_one(source[row : row + 1, :size], lengths[row : row + 1], most, width, penalty))
        return found

    def _beam_of_one(self, source: Tensor, length: Tensor, most: int, width: int, penalty: float) -> list[int]:
        states, keys, mask, state = self.encode(source, length)
        output = torch.zeros_like(state[0])
        followed: list[tuple[float, list[int]]] = [(0.0, [])]
        done: list[tuple[float, list[int]]] = []
        for step in range(most + 1):
            last = torch.tensor([units[-1] if units else END for _, units in followed], device=source.device)
            rows = len(followed)
            memory = (states.expand(rows, -1, -1), keys.expand(rows, -1, -1), mask.expand(rows, -1))
            output, state, _ = self.step(self.said(last), output, state, memory)
            logs = self.scores(output).double().log_softmax(-1)
            logs[:, PAD] = -torch.inf
            if step == most:  # nothing but the end may come
                logs[:, :END] = logs[:, END + 1 :] = -torch.inf
            total = logs + torch.tensor([[log] for log, _ in followed], device=logs.device)
            values, places = total.flatten().topk(min(width - len(done), total.numel()))
            kept, parents = [], []
            for value, place in zip(values.tolist(), places.tolist(), strict=True):
                parent, unit = divmod(place, logs.shape[1])
                units = followed[parent][1]
                if value == -torch.inf:
                    continue
                if unit == END:
                    done.append((value / ((5 + len(units) + 1) / 6) ** penalty, units))
                else:
                    kept.append((value, [*units, unit]))
                    parents.append(parent)
            if not kept or len(done) >= width:
                break
            chosen = torch.tensor(parents, device=source.device)
            output, state = output[chosen], tuple(part[chosen] for part in state)
            followed = kept
        return max(done, key=lambda one: one[0])[1]

    def take_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the weights of recurra's network for ``seq2seq``, as its state_dict gives them."""
        own: dict[str, Tensor] = {"read.weight": weights["embed.weight"], "said.weight": weights["target_embed.weight"]}
        for layer in range(self.sizes.layers):
            for side, ending in enumerate(("", "_reverse")):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    theirs = weights[f"recurrent.layers.{layer}.{side}.cell.{name}"]
                    own[f"encoder.{name}_l{layer}{ending}"] = theirs
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            own[f"decoder.{name}"] = weights[f"decoder.cell.{name}"]
        if self.sizes.feeding:
            fed = (own["decoder.weight_ih"], weights["decoder.feed.weight"])
            own["decoder.weight_ih"] = torch.cat(fed, 1)
        for name, value in weights.items():
            if name.startswith("decoder.attention."):
                own[name.removeprefix("decoder.")] = value
        own["combine.weight"] = weights["decoder.combine.weight"]
        own |= {f"bridge.{name}": weights[f"bridge.linear.{name}"] for name in ("weight", "bias")}
        own |= {f"out.{name}": weights[f"head.{name}"] for name in ("weight", "bias")}
        if "head.narrow.weight" in weights:
            own["narrow.weight"] = weights["head.narrow.weight"]
        self.load_state_dict(own)


def _until_end(units: list[int]) -> list[int]:
    return units[: units.index(END)] if END in units else units


# ---------------------------------------------------------------------------------------------------- training


class Units:
    """The units of one language by number."""

    def __init__(self, texts: Sequence[Sequence[str]], least: int = 2):
        counts = Counter(unit for text in texts for unit in text)
        known = sorted((unit for unit, count in counts.items() if count >= least), key=lambda u: (-counts[u], u))
        self.names = ["", "<unk>", "", *known]
        self.numbers = {unit: number for number, unit in enumerate(self.names) if number > END}

    def encode(self, text: Sequence[str]) -> Tensor:
        """Return the numbers of a text, and of its end."""
        return torch.tensor([*(self.numbers.get(unit, UNKNOWN) for unit in text), END])

    def decode(self, numbers: Sequence[int]) -> str:
        """Return the text of these numbers."""
        return " ".join(self.names[number] for number in numbers)


Pair = tuple[Tensor, Tensor]


def batches(pairs: Sequence[Pair], size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield all pairs once, ``size`` at a time, of about one length, by chance: texts, lengths, answers."""
    order = torch.randperm(len(pairs), generator=generator).tolist()
    pool = 50 * size
    groups: list[list[int]] = []
    for begin in range(0, len(order), pool):
        some = sorted(order[begin : begin + pool], key=lambda n: (len(pairs[n][0]), len(pairs[n][1])))
        groups += [some[at : at + size] for at in range(0, len(some), size)]
    for number in torch.randperm(len(groups), generator=generator).tolist():
        yield padded([pairs[n] for n in groups[number]])


def padded(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, Tensor]:
    """Return texts (B, T), their lengths (B,), and answers (B, Q)."""
    source = pad_sequence([one for one, _ in pairs], batch_first=True, padding_value=PAD)
    target = pad_sequence([other for _, other in pairs], batch_first=True, padding_value=PAD)
    return source, torch.tensor([len(one) for one, _ in pairs]), target


def train_epoch(
    network: Translator, optimiser: Any, of: Iterator[tuple[Tensor, Tensor, Tensor]], smoothing: float = 0.0
) -> float:
    """Train on these batches; return the mean loss of a unit."""
    network.train()
    total, count = 0.0, 0
    for source, lengths, target in of:
        size = int((target != PAD).sum())
        loss = network.loss(source, lengths, target, smoothing)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        total, count = total + loss.item() * size, count + size
    return total / count


def translate(network: Translator, sources: Sequence[Tensor], width: int = 1, size: int = 64) -> list[list[int]]:
    """Return the answers to texts in their order; of a ``width`` of 1 the likeliest unit at each step."""
    network.eval()
    order = sorted(range(len(sources)), key=lambda n: len(sources[n]))
    found: list[list[int]] = [[] for _ in sources]
    for begin in range(0, len(order), size):
        numbers = order[begin : begin + size]
        source, lengths, _ = padded([(sources[n], sources[n]) for n in numbers])
        most = 2 * int(lengths.max()) + 20
        said = network.greedy(source, lengths, most) if width == 1 else network.beam(source, lengths, most, width)
        for number, one in zip(numbers, said, strict=True):
            found[number] = one
    return found


def main() -> None:
    """Train, and print BLEU after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=4, type=Path)
    parser.add_argument("--cell", choices=[*LAYERS], default="gru")
    parser.add_argument("--attention", choices=["additive", "general"], default="additive")
    for name, value in {"embedding": 256, "hidden": 256, "layers": 1, "batch": 64, "epochs": 10, "beam": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for rate, value in {"dropout": 0.3, "learning-rate": 1e-3, "smoothing": 0.1}.items():
        parser.add_argument(f"--{rate}", type=float, default=value)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    import sacrebleu

    torch.manual_seed(asked.seed)
    sides = [[line.lower().split() for line in lines_in(path)] for path in asked.files]
    known = Units(sides[0]), Units(sides[1])
    pairs = [(known[0].encode(a), known[1].encode(b)) for a, b in zip(sides[0], sides[1], strict=True)]
    sizes = [len(one.names) for one in known]
    more = {"layers": asked.layers, "cell": asked.cell, "attention": asked.attention, "dropout": asked.dropout}
    network = Translator(Sizes(*sizes, asked.embedding, asked.hidden, **more))
    optimiser = torch.optim.Adam(network.parameters(), asked.learning_rate)
    generator = torch.Generator().manual_seed(asked.seed)
    truth = [" ".join(one) for one in sides[3]]
    tests = [known[0].encode(one) for one in sides[2]]
    for epoch in range(1, asked.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(network, optimiser, batches(pairs, asked.batch, generator), asked.smoothing)
        seconds = time.perf_counter() - start
        width = asked.beam if epoch == asked.epochs else 1
        said = [known[1].decode(one) for one in translate(network, tests, width)]
        bleu = sacrebleu.corpus_bleu(said, [truth], tokenize="none", force=True).score
        print(f"epoch {epoch}: loss {loss:.3f}, {seconds:.1f} s, BLEU {bleu:.2f} (beam {width})", flush=True)


def lines_in(path: Path) -> list[str]:
    """Return the lines of a file, packed or not."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().rstrip("\n").split("\n")


if __name__ == "__main__":
    main()
