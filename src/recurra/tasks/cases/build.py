"""From the settings of a kind that reads cases to its network."""

from dataclasses import replace

from ...errors import ConfigError
from ...nn.build import (
    attentions_in,
    cell_names,
    idle_attention,
    is_reservoir,
    make_attention,
    make_recurrent,
    make_self_attention,
)
from ...nn.filters import Branch
from ...nn.layers import Pool, Recurrent
from ...nn.letters import Letters
from ...nn.words import Words
from ...settings import Config
from .hierarchy import HierarchyNet, Level
from .network import CaseNet, Frames, Layout, Segments, Tokens


def readout_of(config: Config) -> str:
    """Return how the network reads out: as the settings say, else by its attention, else the mean."""
    wanted, attends = config.task.readout, config.model.attention != "none"
    if wanted == "attention" and not attends:
        raise ConfigError("readout='attention' needs an attention, but attention='none'. Name one, or another readout.")
    return wanted or ("attention" if attends else "mean")


def plain_readout(config: Config) -> str | None:
    """Return the read-out that the settings name, which looks nowhere; None if they name none."""
    wanted: str | None = config.task.readout
    if wanted == "attention":
        raise ConfigError(f"readout='attention' needs an attention, and cell='{config.named('cell')}' has none.")
    return wanted


def idle_settings(config: Config) -> dict[str, str]:
    """Return the settings that nothing uses, with the reason."""
    wanted, named = config.task.readout, attentions_in(config.model)
    idle: dict[str, str] = {}
    if wanted == "last":
        named.pop("self_attention", None)
        idle["self_attention"] = "readout='last' takes the state after the last step as it is"
    if wanted not in (None, "attention") and named.pop("attention", None):
        idle["attention"] = f"readout='{wanted}' looks nowhere"
    if "attention" not in named:
        idle["rows"] = idle.get("attention", "attention='none' looks nowhere")
    return idle_attention(named, idle.get("rows", "")) | idle


def idle_at_each_step(config: Config, why: str) -> dict[str, str]:
    """Return the settings that nothing uses where each step is answered and nothing looks back, which is ``why``."""
    named = attentions_in(config.model)
    named.pop("attention", None)
    return idle_attention(named, why) | {"attention": why}


def make_pooled(config: Config, layout: Layout, outputs: int) -> CaseNet:
    """Make an untrained network that gives ``outputs`` numbers for each case."""
    model, readout = config.model, readout_of(config)
    embed, recurrent = make_reader(config, layout)
    size = recurrent.output_size
    pool = _make_pool(config, readout, size, config.task.rows)
    among = make_self_attention(model, size)
    if isinstance(embed, Tokens) and layout.hierarchy:
        inner = _make_pool(config, readout, size, 1)
        outer = make_recurrent(model, inner.size(size))
        sizes = pool.size(size), outputs
        return HierarchyNet(embed, Level(recurrent, inner), Level(outer, pool), sizes, model.dropout, among)
    branch = _make_branch(config.task.convolutions, layout)
    width = pool.size(size) + (branch.output_size if branch else 0)
    return CaseNet(embed, recurrent, pool, (width, outputs), model.dropout, among, branch)


def _make_pool(config: Config, readout: str, size: int, rows: int) -> Pool:
    """Make what reads out states of width ``size``, with so many looks if it is an attention."""
    attention = make_attention(config.model, size, size) if readout == "attention" else None
    return Pool(readout, attention, size, rows, config.model.attention_dropout)


def _make_branch(filters: int, layout: Layout) -> Branch | None:
    if not filters:
        return None
    if layout.shape is not None:
        raise ConfigError(
            f"convolutions={filters} is a branch over the steps of series, and these cases are moving pictures. Leave "
            "it out: each frame is read by filters already."
        )
    return Branch(layout.width, filters, layout.pool)


def _make_letters(config: Config, layout: Layout) -> Letters | None:
    """Make what reads words letter by letter: one layer of the first cell, from both sides."""
    if not layout.letters:
        return None
    size, task = config.task.letters, config.task
    first = cell_names(config.model)[0]
    model = replace(config.model, cell=first, num_layers=1, hidden_size=size, bidirectional=True, weight_drop=0.0)
    return Letters(layout.letters, make_recurrent(model, size), task.embedding_dropout)


def make_reader(config: Config, layout: Layout) -> tuple[Segments | Frames | Tokens, Recurrent]:
    """Make what turns steps into vectors, and the stack that reads these."""
    if is_reservoir(config.model):
        raise ConfigError(
            "A reservoir is read out once for each case, and here every step has an answer. Use a cell that learns, "
            "such as cell='gru'."
        )
    if layout.vocabulary:
        task = config.task
        sizes = layout.vocabulary, layout.pieces, layout.embedding or task.embedding_size
        tokens = Tokens(layout, Words(*sizes, task.forget, task.embedding_dropout), _make_letters(config, layout))
        return tokens, make_recurrent(config.model, tokens.output_size)
    recurrent = make_recurrent(config.model, config.model.hidden_size)
    front = Segments if layout.shape is None else Frames
    return front(layout, config.model.hidden_size, config.task.filters), recurrent
