"""From the settings of a kind that reads cases to its network."""

from ...errors import ConfigError
from ...nn.build import ATTENTION_OPTIONS, make_attention, make_recurrent
from ...nn.layers import Pool, Recurrent
from ...settings import Config
from .network import CaseNet, Layout, Segments


def readout_of(config: Config) -> str:
    """Return how the network reads out: as the settings say, else by its attention, else the mean."""
    wanted, attends = config.task.readout, config.model.attention != "none"
    if wanted == "attention" and not attends:
        raise ConfigError("readout='attention' needs an attention, but attention='none'. Name one, or another readout.")
    return wanted or ("attention" if attends else "mean")


def idle_settings(config: Config) -> dict[str, str]:
    """Return the settings that nothing uses, with the reason."""
    wanted = config.task.readout
    if wanted is None or wanted == "attention" or config.model.attention == "none":
        return {}
    return dict.fromkeys(attention_settings(), f"readout='{wanted}' looks nowhere")


def attention_settings() -> tuple[str, ...]:
    """Return the settings that only an attention uses, and the one that names it."""
    rates = tuple(f"attention_{name}" for name in ("learning_rate", "weight_decay", "warmup"))
    return (*ATTENTION_OPTIONS, "attention", "attention_dropout", "entropy_penalty", *rates)


def make_each_step(config: Config, layout: Layout, outputs: int) -> CaseNet:
    """Make an untrained network that gives ``outputs`` numbers for each step of each case."""
    embed, recurrent = _make_reader(config, layout)
    return CaseNet(embed, recurrent, None, (recurrent.output_size, outputs), config.model.dropout)


def make_pooled(config: Config, layout: Layout, outputs: int) -> CaseNet:
    """Make an untrained network that gives ``outputs`` numbers for each case."""
    model, readout = config.model, readout_of(config)
    embed, recurrent = _make_reader(config, layout)
    size = recurrent.output_size
    attention = make_attention(model, size, size) if readout == "attention" else None
    pool = Pool(readout, attention, size)
    width = size if attention is None else attention.context_size
    return CaseNet(embed, recurrent, pool, (width, outputs), model.dropout)


def _make_reader(config: Config, layout: Layout) -> tuple[Segments, Recurrent]:
    recurrent = make_recurrent(config.model, config.model.hidden_size)
    return Segments(layout, config.model.hidden_size, config.task.filters), recurrent
