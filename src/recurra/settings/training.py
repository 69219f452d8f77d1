"""The settings of a training."""

from dataclasses import dataclass
from typing import Literal

from .base import Range, setting

ATTENTION_PENALTIES = (
    "entropy_penalty",
    "overlap_penalty",
    "coverage_penalty",
)  # the settings that weigh where a model looks


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingSettings:
    """How the weights are found."""

    batch_size: int = setting(128, "examples per step", low=1, tune=Range(16, 256, log=True))
    max_epochs: int = setting(30, "most epochs that validation judges", low=1)
    max_steps: int = setting(20_000, "most training steps in all", low=1)
    epoch_steps: int = setting(100, "training steps in one epoch, after which the validation is looked at", low=1)
    patience: int = setting(5, "epochs without improvement before stopping", low=1)
    watch: str = setting("loss", "what improvement means: the validation loss, or a metric of the task")
    learning_rate: float = setting(5e-4, "step size of AdamW", low=0, tune=Range(1e-4, 1e-2, log=True))
    weight_decay: float = setting(1e-4, "decoupled weight decay", low=0, tune=Range(1e-6, 1e-1, log=True))
    average: float = setting(
        0.0,
        "share of itself that a running mean of the weights keeps at each step; it validates and answers; 0 for none",
        low=0,
        high=0.99999,
    )
    warmup: int = setting(50, "steps over which the rate rises to its full value", low=0)
    recurrence_learning_rate: float | None = setting(None, "rate of the recurrent weights, if another", low=0)
    recurrence_weight_decay: float | None = setting(None, "decay of the recurrent weights, if another", low=0)
    recurrence_warmup: int | None = setting(None, "warm-up of the recurrent weights, if another", low=0)
    attention_learning_rate: float | None = setting(None, "rate of the attention weights, if another", low=0)
    attention_weight_decay: float | None = setting(None, "decay of the attention weights, if another", low=0)
    attention_warmup: int | None = setting(None, "warm-up of the attention weights, if another", low=0)
    schedule: Literal["cosine", "step", "constant"] = setting("cosine", "how the rate falls after the warm-up")
    clip_norm: float = setting(1.0, "largest gradient norm; 0 for no limit", low=0, tune=Range(0.1, 10, log=True))
    clip_value: float = setting(0.0, "largest gradient entry; 0 for no limit", low=0)
    l1: float = setting(0.0, "weight of the sum of absolute weights in the loss", low=0)
    l2: float = setting(0.0, "weight of the sum of squared weights in the loss", low=0)
    entropy_penalty: float = setting(0.0, "weight of the attention's entropy in the loss (sharper if > 0)")
    overlap_penalty: float = setting(
        0.0, "weight in the loss of what the attention's looks have in common (each elsewhere if > 0)", low=0
    )
    coverage_penalty: float = setting(
        0.0, "weight in the loss of looks at what was looked at before (each place once if > 0)"
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "what factors of products are rounded to in training (doctor says whether that is faster here)"
    )
    device: str = setting("auto", "cpu, cuda, or auto: the GPU if there is one and the network is large enough for it")
    seed: int = setting(
        0, "the same seed gives the same result on the same machine (on a GPU to rounding)", low=0, high=2**63 - 1
    )
