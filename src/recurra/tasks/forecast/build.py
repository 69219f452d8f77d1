"""From the settings of a forecaster to its network."""

from torch import nn

from ...attention import Attention, LaggedAttention, ScoreAttention
from ...errors import ConfigError
from ...nn.attending import AttendingCell
from ...nn.build import cell_names, is_reservoir, make_attention, make_cell, make_recurrent
from ...nn.heads import DistributionHead, Head, make_head
from ...nn.models import ParallelWriter, Writer
from ...random import Dropout
from ...settings.config import Config, ModelSettings
from .drawing import DrawingCore, DrawingNet, TaughtTask
from .layout import Layout
from .network import ForecastNet, SegmentCore, VanillaCore
from .placing import CountHead, LoggedHead, PlacedHead
from .presets import PRESETS, Preset
from .reservoir import ReservoirNet
from .settings import NEGATIVE_BINOMIAL
from .steps import Steps
from .task import ForecastTask


def make_forecaster(config: Config, layout: Layout) -> tuple[ForecastNet, ForecastTask]:
    """Make an untrained forecaster."""
    head = _head(config.task.loss, config.task.levels, layout)
    preset = PRESETS[config.task.preset]
    _refuse_cells(config, preset)
    if is_reservoir(config.model):
        if isinstance(head, (DistributionHead, PlacedHead)):
            raise ConfigError(
                f"A reservoir is read out in closed form, and a likelihood has none: leave loss='{config.task.loss}' "
                "out, or use another cell."
            )
        recurrent = make_recurrent(config.model, layout.channels * (2 if layout.missing else 1))
        return ReservoirNet(recurrent, head, layout), ForecastTask(head)
    core: nn.Module
    if preset.core:
        core = preset.make_core(config, layout, head)
    elif config.task.decoder == "vanilla":
        core = _vanilla_core(config.model, layout, head)
    else:
        core = _segment_core(config.model, layout, head, config.task.lags)
    if isinstance(core, DrawingCore):
        drawing = DrawingNet(core, core.law, layout, config.task.normalise)
        return drawing, TaughtTask(drawing.head)
    return ForecastNet(core, head, layout, config.task.normalise), ForecastTask(head)


def _head(loss: str, levels: tuple[int, ...], layout: Layout) -> Head:
    """Make the head, which knows where a window stands if it has to."""
    if loss == NEGATIVE_BINOMIAL:
        return CountHead(levels)
    head = make_head(loss, levels)
    return LoggedHead(head) if layout.log and isinstance(head, DistributionHead) else head


def _refuse_cells(config: Config, preset: Preset) -> None:
    """Raise ConfigError for cells that the core of a paper has no place for."""
    name = config.task.preset
    if preset.core and is_reservoir(config.model):
        raise ConfigError(f"A reservoir is a whole architecture, and so is preset='{name}': leave one of them out.")
    if preset.single and len(cell_names(config.model)) > 1:
        raise ConfigError(f"preset='{name}' has a place for one cell. Got cell='{config.named('cell')}' instead.")


def _segment_core(settings: ModelSettings, layout: Layout, head: Head, lags: bool | None) -> nn.Module:
    size = settings.hidden_size
    recurrent = make_recurrent(settings, size)
    cell = make_cell(cell_names(settings)[-1], size, size, settings.chrono)
    attention = _with_lags(make_attention(settings, size, recurrent.output_size), layout, lags)
    writer = ParallelWriter(recurrent, cell, attention, settings.attention_dropout)
    return SegmentCore(layout, head, recurrent, writer, settings.dropout)


def _with_lags(attention: Attention | None, layout: Layout, lags: bool | None) -> Attention | None:
    """Let an attention know how long ago each segment was, where it can and may."""
    if isinstance(attention, ScoreAttention) and lags is not False:
        return LaggedAttention(attention, layout.read + layout.written - 1)
    if lags and attention is not None:
        raise ConfigError(
            f"lags=True needs an attention that scores every segment, and {type(attention).__name__} finds its places "
            f"another way. Use attention='general', or leave lags= out."
        )
    return attention


def _vanilla_core(settings: ModelSettings, layout: Layout, head: Head) -> nn.Module:
    steps = Steps(layout)
    recurrent = make_recurrent(settings, steps.read_width)
    written = layout.channels + steps.ahead_width
    cell = make_cell(cell_names(settings)[-1], written, settings.hidden_size, settings.chrono)
    attention = make_attention(settings, settings.hidden_size, recurrent.output_size)
    out = nn.Sequential(Dropout(settings.dropout), nn.Linear(settings.hidden_size, layout.channels * head.size))
    decoder = AttendingCell(cell, attention, settings.attention_dropout)
    return VanillaCore(layout, head, steps, Writer(nn.Identity(), recurrent, decoder, nn.Identity(), out))
