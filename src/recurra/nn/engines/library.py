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
NO_MEMORY, OTHER_VERSION = 1, 2  # RECURRA_NO_MEMORY, RECURRA_OTHER_VERSION
VERSION = 2  # RECURRA_VERSION
DTYPES = {torch.float32: 0, torch.float64: 1}


_HEAD = [("version", c_int32), ("size", c_int32)]


class ScanArguments(ctypes.Structure):
    """``recurra_scan`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        *[(name, c_int32) for name in ("cell", "dtype", "reverse", "threads", "self_fed")],
        *[(name, c_int64) for name in ("batch", "steps", "input", "hidden")],
        *[(name, c_void_p) for name in ("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "per_unit", "h0", "c0")],
        *[(name, c_void_p) for name in ("mask", "keep", "outputs", "h", "c", "saved")],
    ]


class GradArguments(ctypes.Structure):
    """``recurra_grads`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        *[(name, c_void_p) for name in ("d_outputs", "d_h", "d_c", "d_x", "d_weight_ih", "d_weight_hh")],
        *[(name, c_void_p) for name in ("d_bias_ih", "d_bias_hh", "d_per_unit", "d_h0", "d_c0")],
    ]


# The first two values of each: with them the library knows that it reads what was meant.
SCAN_HEAD, GRAD_HEAD = (VERSION, ctypes.sizeof(ScanArguments)), (VERSION, ctypes.sizeof(GradArguments))

# The result and the arguments of every function of recurra.h.
FUNCTIONS = {
    "recurra_layout": (None, [POINTER(c_int32), POINTER(c_int32), POINTER(c_int32)]),
    "recurra_cells": (c_char_p, []),
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
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as fault:
        return None, f"The native engine in '{path}' cannot be loaded ({fault}): run pip install again."
    if not _is_of_this_version(library):
        return None, f"The native engine in '{path}' belongs to another version of recurra: run pip install again."
    return library, ""


def _is_of_this_version(library: ctypes.CDLL) -> bool:
    """Declare every function, and return whether all are there and know the structs as they are here."""
    try:
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError:
        return False
    version, scan, grads = c_int32(), c_int32(), c_int32()
    library.recurra_layout(ctypes.byref(version), ctypes.byref(scan), ctypes.byref(grads))
    here = VERSION, ctypes.sizeof(ScanArguments), ctypes.sizeof(GradArguments)
    return (version.value, scan.value, grads.value) == here


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
