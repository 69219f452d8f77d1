"""Log-mel features: how loud a sound is in each band of frequency, moment by moment.

Shapes: n samples, T steps, W samples of a window, K frequencies, B bands.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, HOP = 0.025, 0.010  # seconds that a step hears, and from the beginning of one step to that of the next
BARK = 100.0  # mel from band to band: what lies closer, an ear hardly tells apart
QUIETEST = -100.0  # dB: what is not even that loud is silence
AT_ONCE = 4096  # steps that are transformed at a time, so that a long sound takes no more memory


def log_mel(samples: "Tensor", rate: int) -> "Tensor":
    """Return the log-mel features of a sound, float32 (T, B) in dB below a steady tone as loud as can be.

        y_t(b) = 10 log₁₀ Σ_k M_b(k) |Σ_m w_m x_{t·hop + m} e^{−2πi k m / N}|² / (Σ_m w_m / 2)²

    ``samples`` (n,) lie between -1 and 1, ``rate`` of them in a second. w is a Hann window of 25 ms, a step comes
    every 10 ms, M_b is a triangle on the mel scale (``mel_bank``), 20 of them at 8 kHz and 27 at 16 kHz. A sound
    shorter than a window ends in silence. After Davis & Mermelstein, "Comparison of parametric representations", IEEE
    Trans. ASSP 28(4), 1980, without their last step, the cosine transform.
    """
    import torch  # who reads no sound need not wait for it

    window, hop = _sizes(rate)
    padded = torch.nn.functional.pad(samples.float(), (0, max(0, window - len(samples))))
    weights = torch.hann_window(window)
    bank = torch.tensor(mel_bank(rate), dtype=torch.float32)
    found = []
    for steps in padded.unfold(0, window, hop).split(AT_ONCE):
        spectrum = torch.fft.rfft(steps * weights, n=_transform(window)).abs().square()
        power = (spectrum / (weights.sum() / 2).square()) @ bank
        found.append(10 * power.clamp(min=10 ** (QUIETEST / 10)).log10())
    return torch.cat(found)


@cache
def mel_bank(rate: int) -> np.ndarray:
    """Return triangles of height 1 over frequencies, float64 (K, B): each rises and falls between its neighbours.

    Their tips are about 100 mel apart, ``m = 2595 log₁₀(1 + f / 700 Hz)``, which is a critical band of hearing (Zwicker
    1961), from 0 to half the ``rate``. Finer bands would show the pitch of a voice rather than what it says.
    """
    edges = _edges(rate)
    found = np.fft.rfftfreq(_transform(_sizes(rate)[0]), 1 / rate)[:, None]
    rising = (found - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - found) / (edges[2:] - edges[1:-1])
    bank = np.clip(np.minimum(rising, falling), 0, None)
    bank.setflags(write=False)
    return bank


def band_names(rate: int) -> tuple[str, ...]:
    """Return the bands by the frequency that each hears best."""
    return tuple(f"{tip:.0f} Hz" for tip in _edges(rate)[1:-1])


def seconds_of(rate: int) -> float:
    """Return how many seconds lie between two steps."""
    return _sizes(rate)[1] / rate


def _edges(rate: int) -> np.ndarray:
    """Return where the triangles begin, have their tip and end, in Hz (B + 2,)."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    mels = np.linspace(0, highest, round(highest / BARK) + 1)
    hertz: np.ndarray = 700 * (10 ** (mels / 2595) - 1)
    return hertz


def _sizes(rate: int) -> tuple[int, int]:
    """Return how many samples a window and a hop have."""
    return round(WINDOW * rate), round(HOP * rate)


def _transform(window: int) -> int:
    """Return over how many samples the transform goes: twice the window, so that no band falls between frequencies."""
    return int(2 ** np.ceil(np.log2(2 * window)))
