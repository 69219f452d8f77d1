"""From the settings of a classifier to its network."""

import torch

from ...errors import ConfigError
from ...nn.build import attentions_in, idle_attention, make_attention, make_recurrent, make_self_attention
from ...nn.layers import Pool
from ...settings import Config
from .learned import ClassifyLearned
from .network import ClassifyNet, ClassifyTask, Segments


def readout_of(config: Config) -> str:
    """Return how the network reads out: as the settings say, else by its attention, else the mean."""
    wanted, attends = config.task.readout, config.model.attention != "none"
    if wanted == "attention" and not attends:
        raise ConfigError("readout='attention' needs an attention, but attention='none'. Name one, or another readout.")
    return wanted or ("attention" if attends else "mean")


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


def make_classifier(config: Config, learned: ClassifyLearned) -> tuple[ClassifyNet, ClassifyTask]:
    """Make an untrained classifier."""
    model, readout = config.model, readout_of(config)
    recurrent = make_recurrent(model, model.hidden_size)
    embed = Segments(learned.layout, model.hidden_size, config.task.filters)
    size = recurrent.output_size
    attention = make_attention(model, size, size) if readout == "attention" else None
    pool = Pool(readout, attention, size, config.task.rows, model.attention_dropout)
    among = make_self_attention(model, size)
    network = ClassifyNet(embed, recurrent, among, pool, model.dropout)
    return network, ClassifyTask(config.task.smoothing, _weights(learned) if config.task.balance else None)


def _weights(learned: ClassifyLearned) -> torch.Tensor:
    """Return what a case of each class counts (K,), so that all classes together count the same."""
    counts = torch.tensor(learned.counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
