"""From the settings of a classifier to its network."""

import torch

from ...errors import ConfigError
from ...nn.build import ATTENTION_OPTIONS, make_attention, make_recurrent
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
    wanted = config.task.readout
    if wanted is None or wanted == "attention" or config.model.attention == "none":
        return {}
    options = (*ATTENTION_OPTIONS, "attention", "attention_dropout", "entropy_penalty")
    rates = tuple(f"attention_{name}" for name in ("learning_rate", "weight_decay", "warmup"))
    return dict.fromkeys((*options, *rates), f"readout='{wanted}' looks nowhere")


def make_classifier(config: Config, learned: ClassifyLearned) -> tuple[ClassifyNet, ClassifyTask]:
    """Make an untrained classifier."""
    model, readout = config.model, readout_of(config)
    recurrent = make_recurrent(model, model.hidden_size)
    embed = Segments(learned.layout, model.hidden_size, config.task.filters)
    size = recurrent.output_size
    attention = make_attention(model, size, size) if readout == "attention" else None
    pool = Pool(readout, attention, size)
    width = size if attention is None else attention.context_size
    network = ClassifyNet(embed, recurrent, pool, width, model.dropout)
    return network, ClassifyTask(config.task.smoothing, _weights(learned) if config.task.balance else None)


def _weights(learned: ClassifyLearned) -> torch.Tensor:
    """Return what a case of each class counts (K,), so that all classes together count the same."""
    counts = torch.tensor(learned.counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
