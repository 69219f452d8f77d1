"""Sounds: wav files of every form, what is refused, and log-mel features against loops in NumPy."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.data.cases import read_cases
from recurra.data.sound import band_names, read_recordings, seconds_of
from recurra.data.sound.mel import log_mel, mel_bank
from recurra.data.sound.recordings import resampled
from recurra.data.sound.wav import read_header, read_samples
from recurra.errors import DataError

GUID = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(code: int, bits: int, rate: int, channels: int) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def sound(samples: np.ndarray, code: int = 1, rate: int = 8000, channels: int = 1) -> bytes:
    bits = 8 * samples.dtype.itemsize
    return riff(chunk(b"fmt ", form(code, bits, rate, channels)), chunk(b"data", samples.tobytes()))


def put(folder: Path, content: bytes, name: str = "a.wav") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def heard(path: Path) -> np.ndarray:
    return read_samples(path, read_header(path, path.name), path.name)


def wave_of(hertz: float, rate: int, seconds: float = 0.5, loud: float = 0.5) -> np.ndarray:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def pcm(values: np.ndarray) -> np.ndarray:
    return np.round(32767 * values).astype("<i2")


def fault(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        heard(path)
    text = str(raised.value)
    assert path.name in text and "\n" not in text and text.endswith(".")
    return text


# Samples.


def test_samples_of_every_width_are_the_numbers_they_stand_for(tmp_path: Path) -> None:
    values = np.array([0, 0.5, -0.5, 0.25, -1, 0.75])
    assert np.allclose(heard(put(tmp_path, sound((128 + 128 * values).astype("u1")))), values)
    for width in (2, 4):
        whole = (values * 2 ** (8 * width - 1)).astype(f"<i{width}")
        assert np.allclose(heard(put(tmp_path, sound(whole))), values)
    for width in (4, 8):
        assert np.allclose(heard(put(tmp_path, sound(values.astype(f"<f{width}"), code=3))), values)


def test_24_bits_as_the_standard_library_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    whole = [0, 1, -1, 2**22, -(2**23)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 3, 44100, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<i", value)[:3] for value in whole))
    assert read_header(path, "a").rate == 44100
    assert np.allclose(heard(path), np.array(whole) / 2**23, atol=1e-9)


def test_the_mean_of_two_channels_in_a_file_of_the_longer_form(tmp_path: Path) -> None:
    both = np.array([[8192, 16384], [-8192, 0], [0, 0]], dtype="<i2")
    longer = form(0xFFFE, 16, 8000, 2) + struct.pack("<HHI", 22, 16, 3) + struct.pack("<H", 1) + GUID
    path = put(tmp_path, riff(chunk(b"LIST", b"odd"), chunk(b"fmt ", longer), chunk(b"data", both.tobytes())))
    assert np.allclose(heard(path), [0.375, -0.125, 0])


def test_sizes_that_were_written_before_the_end_do_no_harm(tmp_path: Path) -> None:
    whole = sound(pcm(wave_of(440, 8000)))
    for size in (0, 0xFFFFFFFF):
        streamed = whole[:4] + struct.pack("<I", size) + whole[8:40] + struct.pack("<I", size) + whole[44:]
        assert (heard(put(tmp_path, streamed)) == heard(put(tmp_path, whole, "b.wav"))).all()
    wrong = whole[:4] + struct.pack("<I", 7) + whole[8:] + b"and more"
    assert (heard(put(tmp_path, wrong)) == heard(put(tmp_path, whole, "b.wav"))).all()


def test_the_other_order_of_bytes(tmp_path: Path) -> None:
    other = b"RIFX" + struct.pack(">I", 100) + b"WAVEfmt " + struct.pack(">IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    other += b"data" + struct.pack(">I", 4) + np.array([16384, -16384], dtype=">i2").tobytes()
    assert heard(put(tmp_path, other)).tolist() == [0.5, -0.5]


WHOLE = sound(pcm(wave_of(440, 8000)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"ID3\x04 and music", "is an MP3 file and no wav file"),
        (b"\xff\xfb\x90 and music", "is an MP3 file"),
        (b"label,x\n1,2\n", "is no wav file"),
        (WHOLE[:30], "no samples"),
        (WHOLE[:-100], "its header says 4,000 samples, but 3,950 are there"),
        (WHOLE[:24] + struct.pack("<I", 0) + WHOLE[28:], "a sample rate of 0"),
        (WHOLE[:22] + b"\0\0" + WHOLE[24:], "says 0 channel(s)"),
        (riff(chunk(b"fmt ", form(1, 16, 8000, 1)), chunk(b"data", b"")), "no samples"),
        (riff(chunk(b"data", b"1234")), "does not say how its samples are written"),
        (sound(np.zeros(9, "u1"), code=7), "cannot be read (Unknown wave file format: MULAW"),
        (sound(np.array([np.nan, 0], "<f4"), code=3), "no finite numbers"),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in fault(put(tmp_path, content))


# Features.


def by_loops(samples: np.ndarray, rate: int) -> np.ndarray:
    """The equation of ``log_mel`` once more, a step and a band at a time."""
    window, hop = round(0.025 * rate), round(0.010 * rate)
    size = 1
    while size < 2 * window:
        size *= 2
    hann = np.array([np.sin(np.pi * m / window) ** 2 for m in range(window)])
    top = 2595 * np.log10(1 + rate / 1400)
    bands = round(top / 100) - 1
    tips = [700 * (10 ** (top * b / (bands + 1) / 2595) - 1) for b in range(bands + 2)]
    samples = np.concatenate([samples, np.zeros(max(0, window - len(samples)))])
    rows = []
    for start in range(0, len(samples) - window + 1, hop):
        power = np.abs(np.fft.fft(hann * samples[start : start + window], size)) ** 2 / (hann.sum() / 2) ** 2
        row = []
        for low, tip, high in zip(tips, tips[1:], tips[2:], strict=False):
            energy = 0.0
            for k in range(size // 2 + 1):
                hertz = k * rate / size
                if low < hertz <= tip:
                    energy += (hertz - low) / (tip - low) * power[k]
                elif tip < hertz < high:
                    energy += (high - hertz) / (high - tip) * power[k]
            row.append(10 * np.log10(max(energy, 1e-10)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("rate", "count"), [(8000, 700), (11025, 900), (16000, 100)])
def test_features_by_loops(rate: int, count: int) -> None:
    samples = np.random.default_rng(rate).uniform(-0.5, 0.5, count)
    found = log_mel(torch.from_numpy(samples), rate)
    expected = by_loops(samples, rate)
    assert found.shape == expected.shape and found.dtype == torch.float32
    assert np.allclose(found, expected, atol=1e-3)


def test_a_tone_is_heard_in_its_band_at_its_level_and_silence_as_the_least() -> None:
    tips = [float(name.split()[0]) for name in band_names(16000)]
    for band in (3, 12, 24):
        tone = log_mel(torch.from_numpy(wave_of(tips[band], 16000, loud=1.0)), 16000)
        assert (tone.argmax(1) == band).all()
        assert float((tone[:, band] - tone[0, band]).abs().max()) < 0.2  # dB: it is steady
    assert (log_mel(torch.zeros(800), 8000) == -100).all()


def test_no_band_is_empty_and_all_frequencies_between_the_tips_count_once() -> None:
    for rate in (8000, 16000, 22050, 48000):
        bank = mel_bank(rate)
        tips = [float(name.split()[0]) for name in band_names(rate)]
        between = np.linspace(0, rate / 2, len(bank))
        inner = (between > tips[0] + 1) & (between < tips[-1] - 1)
        assert (bank.max(0) > 0.3).all()
        assert np.allclose(bank[inner].sum(1), 1)


def test_a_long_sound_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, 4000))
    whole = log_mel(samples, 8000)
    monkeypatch.setattr("recurra.data.sound.mel.AT_ONCE", 7)
    assert torch.allclose(log_mel(samples, 8000), whole, atol=1e-4)


def test_a_sound_is_the_same_at_another_rate() -> None:
    slow, fast = (wave_of(700, rate) for rate in (8000, 44100))
    assert np.abs(resampled(fast, 44100, 8000)[200:-200] - slow[200:-200]).max() < 0.01
    assert resampled(slow, 8000, 8000) is slow


# Many of them.


def test_files_of_several_rates_are_heard_at_the_usual_one(tmp_path: Path) -> None:
    rates = {"a": 8000, "b": 8000, "c": 11025, "d": 44100}
    paths = [put(tmp_path, sound(pcm(wave_of(700, r)), rate=r), f"{name}.wav") for name, r in rates.items()]
    found = read_recordings(paths, list(rates))
    assert found.rate == 8000 and len({len(v) for v in found.values}) == 1
    assert "2 file(s) with 11,025 to 44,100 samples per second were resampled to 8,000" in found.notes
    middle = [v[5:-5] for v in found.values]
    for v, path in zip(found.values, paths, strict=True):  # dB below the loudest, and none that is hardly heard
        raw = log_mel(torch.from_numpy(resampled(heard(path), read_header(path, "").rate, 8000)), 8000).numpy()
        assert np.allclose(v, np.clip(raw - raw.max(), -50, 0), atol=1e-4) and v.max() == 0 and v.min() == -50
    loud = [m.max() for m in middle]
    assert max(loud) - min(loud) < 3
    assert len({int(row.argmax()) for m in middle for row in m}) == 1
    assert read_recordings(paths, list(rates), 16000).values[0].shape == (48, 27)
    assert seconds_of(8000) == 0.01 and seconds_of(11025) == 110 / 11025


def test_what_is_doubtful_is_said_with_its_count(tmp_path: Path) -> None:
    loud = np.clip(3 * wave_of(300, 8000, loud=1.0), -1, 1)
    both = np.stack([pcm(wave_of(300, 8000))] * 2, axis=1)
    contents = [sound(np.zeros(900, "<i2")), sound(pcm(loud)), sound(both, channels=2)]
    paths = [put(tmp_path, content, f"{i}.wav") for i, content in enumerate(contents)]
    found = read_recordings(paths, "012")
    assert (found.values[0] == -50).all()  # silence is not loud, though nothing in it is louder
    assert found.notes == (
        "3 wav file(s) at 8,000 samples per second",
        "1 file(s) have several channels, of which the mean was taken",
        "careful: 1 file(s) are silent from beginning to end",
        "careful: 1 file(s) are cut off where they are loud (clipped)",
    )


def test_a_single_sound_is_a_case_but_no_training(tmp_path: Path) -> None:
    path = put(tmp_path, sound(pcm(wave_of(440, 16000)), rate=16000))
    cases = read_cases(path, labelled=False)
    assert cases.names == ("a.wav",) and cases.rate == 16000 and cases.seconds == 0.01
    assert cases.channels == band_names(16000) and cases.values[0].shape == (48, 27)
    assert read_cases(path, labelled=False, rate=8000).rate == 8000
    with pytest.raises(DataError, match="is a single sound; to train, give a folder"):
        read_cases(path)
