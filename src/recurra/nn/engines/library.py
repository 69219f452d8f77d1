"""The compiled library of the native engine: where it lies, how its functions are called, why it is absent."""

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_void_p
from pathlib import Path

import torch  # also loads the one OpenMP runtime of the process, which the library then shares

from ...errors import ConfigError

FILE = "recurra_native.dylib" if sys.platform == "darwin" else "recurra_native.so"
VARIABLE = "RECURRA_NATIVE_LIBRARY"  # names another file, as one that was built with sanitizers
PAD = 16  # RECURRA_PAD
NO_MEMORY = 1  # RECURRA_NO_MEMORY
DTYPES = {torch.float32: 0, torch.float64: 1}


class ScanArguments(ctypes.Structure):
    """``recurra_scan`` of recurra.h."""

    _fields_ = [
        *[(name, c_int32) for name in ("cell", "dtype", "reverse", "threads", "self_fed")],
        *[(name, c_int64) for name in ("batch", "steps", "input", "hidden")],
        *[(name, c_void_p) for name in ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "h0", "c0")],
        *[(name, c_void_p) for name in ("mask", "keep", "outputs", "h", "c", "saved")],
    ]


class GradArguments(ctypes.Structure):
    """``recurra_grads`` of recurra.h."""

    _fields_ = [
        *[(name, c_void_p) for name in ("d_outputs", "d_h", "d_c")],
        *[(name, c_void_p) for name in ("d_x", "d_weight_ih", "d_weight_hh", "d_bias_ih", "d_bias_hh")],
        *[(name, c_void_p) for name in ("d_h0", "d_c0")],
    ]


# The result and the arguments of every function of recurra.h.
FUNCTIONS = {
    "recurra_cell": (c_int32, [c_char_p]),
    "recurra_saved_blocks": (c_int32, [c_int32, c_int32]),
    "recurra_forward": (c_int32, [POINTER(ScanArguments)]),
    "recurra_backward": (c_int32, [POINTER(ScanArguments), POINTER(GradArguments)]),
    "recurra_stepper_new": (c_void_p, [POINTER(ScanArguments)]),
    "recurra_stepper_step": (None, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "recurra_stepper_free": (None, [c_void_p]),
    "recurra_instruction_sets": (c_char_p, []),
    "recurra_instruction_set": (c_char_p, []),
    "recurra_use_instruction_set": (c_int32, [c_char_p]),
    "recurra_map": (c_int32, [c_char_p, c_int32, c_int64, c_void_p, c_void_p]),
}


def find() -> tuple[ctypes.CDLL | None, str]:
    """Return the loaded library and an empty string, or None and one sentence that says why, with the remedy."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else Path(__file__).parent / FILE
    if named and not path.is_file():
        return None, f"{VARIABLE} names '{named}', which is no file: correct the variable or unset it."
    if not path.is_file():
        return None, (
            "The native engine was not built: install a C++ compiler (Debian: apt install g++; "
            "macOS: xcode-select --install) and run pip install again."
        )
    try:
        return _declared(ctypes.CDLL(str(path.resolve()))), ""
    except (OSError, AttributeError) as fault:
        return None, f"The native engine in '{path}' cannot be loaded ({fault}): run pip install again."


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


# Loaded with this file, so with the first use of an engine: torch.compile could not trace a load inside a call.
_LIBRARY, _ABSENT = find()


def absent() -> str:
    """Return in one sentence why the library is not there and what to do, or an empty string if it is there."""
    return _ABSENT


def load() -> ctypes.CDLL:
    """Return the library. Raises ConfigError with the remedy if it is absent."""
    if _LIBRARY is None:
        raise ConfigError(_ABSENT)
    return _LIBRARY


_NUMBERS: dict[str, int] = {}


def cell_number(name: str) -> int:
    """Return the library's number of a cell. Raises ConfigError if it has no such cell."""
    if name not in _NUMBERS:
        number = load().recurra_cell(name.encode())
        if number < 0:
            raise ConfigError(f"The native engine has no cell '{name}': run pip install again to bring it up to date.")
        _NUMBERS[name] = number
    return _NUMBERS[name]
