"""The data of the benchmarks: a file from a folder that is given, or from where it is published, with its checksum.

``fetch("bike_sharing/hour.csv", folder)`` looks into the folder, without one into that of the environment variable
``RECURRA_DATA``, and without either it downloads the file once, into the cache of the user. In a folder a file lies in
the folder of its set or beside others, as it was published or packed as .xz or .gz. Either way its content must be that
which the tables were made with.
"""

import gzip
import hashlib
import lzma
import os
from pathlib import Path
from typing import IO, NamedTuple

OPENERS = {".xz": lzma.open, ".gz": gzip.open}
RAW = "https://raw.githubusercontent.com"
ETT = f"{RAW}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
LAI = f"{RAW}/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023"
M4 = f"{RAW}/Mcompetitions/M4-methods/6c1067e5a57161249b17289a565178dc7a3fb3ca/Dataset"
M4_INFO = f"{RAW}/Mcompetitions/M4-methods/e9b6d1a9ddc205786de3a9a6530c1482268b86aa/M4_Card_upload/data"
PJM = f"{RAW}/panambY/Hourly_Energy_Consumption/3d9359d970ce534e3d3a81bf70a4d3abc7008b8c/data"
BIKES = f"{RAW}/cse412-21sp/bike-sharing/73b03b7b7b36c495405b5cdbaeade7c5f8428bc7/data"
DUAL = f"{RAW}/KurochkinAlexey/IMV_LSTM/c2552282d9995dfb03ef714168c78329e01374cf"
CLASSIC = f"{RAW}/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f"
DARTS = f"{RAW}/unit8co/darts/2be8e43fbdc1265209f33bbe8bae81f3e4d9146f/datasets"


class File(NamedTuple):
    """Where a file is published, and the SHA-256 of what is there."""

    url: str
    sha256: str


FILES = {  # the set and the name, as it is published
    "bike_sharing/day.csv": File(
        f"{BIKES}/day.csv", "a6bcf826782d3c0fbfdcbeead17cd0884185a0dafe8ff10cd48a874ee7ba18be"
    ),
    "bike_sharing/hour.csv": File(
        f"{BIKES}/hour.csv", "b03a2d02e8c10f435c43c7f0b358b7e34a003afea53dbc37f0183f2763295133"
    ),
    "beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv": File(
        f"{DUAL}/PM25/PRSA_data_2010.1.1-2014.12.31.csv",
        "4127f868775e31b3956522adc0ec75af8937dde6a3896e8beed3a376c6d27f1c",
    ),
    "sml2010/NEW-DATA-1.T15.txt": File(
        f"{DUAL}/SML2010/NEW-DATA-1.T15.txt", "bd5a4c4f1f6a0652258179c9963fb5c90885eedee4a981617898c18d6b5c4541"
    ),
    "sml2010/NEW-DATA-2.T15.txt": File(
        f"{DUAL}/SML2010/NEW-DATA-2.T15.txt", "1c008643381903a51557a0599cbd7706ae71b07f2d449d165b17f13b6e12a97e"
    ),
    "ett/ETTh1.csv": File(f"{ETT}/ETTh1.csv", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
    "ett/ETTm1.csv": File(f"{ETT}/ETTm1.csv", "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e"),
    "classic_univariate/airline-passengers.csv": File(
        f"{CLASSIC}/airline-passengers.csv", "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"
    ),
    "classic_univariate/monthly-sunspots.csv": File(
        f"{CLASSIC}/monthly-sunspots.csv", "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3"
    ),
    "classic_univariate/daily-min-temperatures.csv": File(
        f"{CLASSIC}/daily-min-temperatures.csv", "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da"
    ),
    "classic_univariate/us_gasoline.csv": File(
        f"{DARTS}/us_gasoline.csv", "88247f57ae77f26c56db50ee9c212860f70a2394ac1f75758a8cad56691b9be9"
    ),
    "exchange_rate/exchange_rate.txt.gz": File(
        f"{LAI}/exchange_rate/exchange_rate.txt.gz", "6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d"
    ),
    "pjm_hourly/AEP_hourly.csv": File(
        f"{PJM}/AEP_hourly.csv", "109d122f7b485555c609eecdec2cd5a03172e0a08acd358d863acc93eb452585"
    ),
    "pjm_hourly/PJME_hourly.csv": File(
        f"{PJM}/PJME_hourly.csv", "4eb2b16d42bf07ec41ab55cb842191594cb69452725a6d3c0991658a628fde84"
    ),
    "m4/Hourly-train.csv": File(
        f"{M4}/Train/Hourly-train.csv", "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f"
    ),
    "m4/Hourly-test.csv": File(
        f"{M4}/Test/Hourly-test.csv", "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42"
    ),
    "m4/M4-info.csv": File(
        f"{M4_INFO}/M4-info.csv", "697ded110db1c386270606c6ad2178460eae2a8fa3639cff0332c54bfc7acbfe"
    ),
}


def fetch(name: str, folder: Path | None = None) -> Path:
    """Return where a file of ``FILES`` is; it may be packed. Ends the program with one sentence if it cannot be had."""
    if folder is None and (named := os.environ.get("RECURRA_DATA")):
        folder = Path(named)
    return downloaded(name) if folder is None else in_folder(name, folder)


def opened(path: Path) -> IO[str]:
    """Open a file to read its text, which may be packed."""
    return OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8")


def in_folder(name: str, folder: Path) -> Path:
    """Return where a file lies in a folder that was given."""
    file, bare = FILES[name], Path(name).name
    places = [place / f"{bare}{packed}" for place in (folder / Path(name).parent, folder) for packed in ("", *OPENERS)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise SystemExit(
            f"{bare} is not in {folder}: put it there, from {file.url}, or name another folder by RECURRA_DATA."
        )
    opener = OPENERS.get(path.suffix, Path.open) if path.name != bare else Path.open
    with opener(path, "rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise SystemExit(
            f"{path} is another file than that of the benchmarks (SHA-256 {found} instead of {file.sha256}): take that "
            f"of {file.url}."
        )
    return path


def downloaded(name: str) -> Path:
    """Return where a file lies in the cache of the user, and download it if it does not."""
    import pooch
    from requests import RequestException

    file, path = FILES[name], Path(name)
    place = pooch.os_cache("recurra") / path.parent
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(file.url, f"sha256:{file.sha256}", path.name, place))
    except RequestException as error:
        raise SystemExit(
            f"{path.name} cannot be downloaded from {file.url} ({type(error).__name__}): download it by other means "
            "and name its folder by RECURRA_DATA."
        ) from None
    except ValueError:  # of pooch, which keeps nothing of what came
        raise SystemExit(
            f"What came from {file.url} is not the file of the benchmarks (SHA-256 {file.sha256}): try again, or name "
            "a folder with the right one by RECURRA_DATA."
        ) from None
