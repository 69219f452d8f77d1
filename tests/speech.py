"""Sounds that say words: each word is a tone of its own."""

from pathlib import Path

import numpy as np
from scipy.io import wavfile

RATE = 8000
TONES = {"low": 300.0, "middle": 800.0, "high": 2000.0}


def spoken(words: list[str], seed: int = 0) -> np.ndarray:
    """Samples in which each of ``words`` is a tone of 0.12 to 0.2 seconds, with near silence around it."""
    draw = np.random.default_rng(seed)
    pieces = [silence(draw)]
    for word in words:
        count = round(RATE * draw.uniform(0.12, 0.2))
        tone = 0.3 * np.sin(2 * np.pi * TONES[word] * draw.uniform(0.95, 1.05) * np.arange(count) / RATE)
        pieces += [tone, silence(draw)]
    return (32767 * np.concatenate(pieces)).astype(np.int16)


def silence(draw: np.random.Generator) -> np.ndarray:
    found: np.ndarray = 1e-4 * draw.standard_normal(round(RATE * draw.uniform(0.04, 0.1)))
    return found


def write_clips(folder: Path, count: int, seed: int = 0, table: str = "clips.tsv") -> Path:
    """Write so many sounds of 1 to 4 words, and a table of them."""
    draw = np.random.default_rng(seed)
    lines = ["clip\ttext"]
    for number in range(count):
        words = [str(word) for word in draw.choice(list(TONES), draw.integers(1, 5))]
        wavfile.write(folder / f"{seed}_{number}.wav", RATE, spoken(words, 1000 * seed + number))
        lines.append(f"{seed}_{number}.wav\t{' '.join(words)}")
    path = folder / table
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
