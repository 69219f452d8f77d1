"""The compiled library of the native engine: where it lies, how its functions are called, why it is absent."""

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_void_p
from pathlib import Path

import torch  # also loads the one OpenMP runtime of the process, which the library then shares

from ..errors import ConfigError

FILE = "recurra_native.dylib" if sys.platform == "darwin" else "recurra_native.so"
VARIABLE = "RECURRA_NATIVE_LIBRARY"  # names another file, as one that was built with sanitizers
PAD = 16  # RECURRA_PAD
NO_MEMORY, OTHER_VERSION = 1, 2  # RECURRA_NO_MEMORY, RECURRA_OTHER_VERSION
VERSION = 6  # RECURRA_VERSION
DTYPES = {torch.float32: 0, torch.float64: 1}
ROUNDED = 2  # RECURRA_ROUNDED


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


class EnergyArguments(ctypes.Structure):
    """``recurra_energy`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        *[(name, c_int32) for name in ("dtype", "threads")],
        *[(name, c_int64) for name in ("batch", "queries", "steps", "width")],
        *[(name, c_void_p) for name in ("query", "keys", "vector", "energies")],
        *[(name, c_void_p) for name in ("d_energies", "d_query", "d_keys", "d_vector")],
    ]


class SparseArguments(ctypes.Structure):
    """``recurra_sparse`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        *[(name, c_int32) for name in ("dtype", "threads", "reverse")],
        ("leak", c_double),
        *[(name, c_int64) for name in ("batch", "steps", "hidden")],
        *[(name, c_void_p) for name in ("x", "weights", "columns", "ends", "h0", "mask", "outputs", "h", "memory")],
    ]


class ChainArguments(ctypes.Structure):
    """``recurra_chain`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        ("threads", c_int32),
        *[(name, c_int64) for name in ("batch", "steps", "labels")],
        *[(name, c_void_p) for name in ("scores", "transitions", "first", "last", "lengths", "path")],
        *[(name, c_void_p) for name in ("value", "log_z", "reached", "carried", "d_value", "d_scores")],
        *[(name, c_void_p) for name in ("d_transitions", "d_first", "d_last", "best", "memory")],
    ]


class AttendArguments(ctypes.Structure):
    """``recurra_attend`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        ("additive", c_int32),
        *[(name, c_int64) for name in ("memory_steps", "key_width", "value_width")],
        ("scale", c_double),
        *[
            (name, c_void_p)
            for name in ("keys", "values", "mask", "rows", "query_weight", "vector", "combine", "first")
        ],
        *[(name, c_void_p) for name in ("packed", "outputs", "weights", "contexts", "queries")],
    ]


class AttendGradArguments(ctypes.Structure):
    """``recurra_attend_grads`` of recurra.h."""

    _fields_ = [
        *_HEAD,
        *[(name, c_void_p) for name in ("d_outputs", "d_weights", "d_h", "d_c", "d_x", "d_recurrent", "d_combined")],
        *[(name, c_void_p) for name in ("d_contexts", "d_energies", "d_queries", "d_keys", "d_values", "d_vector")],
        *[(name, c_void_p) for name in ("d_per_unit", "d_h0", "d_c0", "d_first")],
    ]


# The first two values of each: with them the library knows that it reads what was meant.
SCAN_HEAD, GRAD_HEAD = (VERSION, ctypes.sizeof(ScanArguments)), (VERSION, ctypes.sizeof(GradArguments))
ENERGY_HEAD, SPARSE_HEAD = (VERSION, ctypes.sizeof(EnergyArguments)), (VERSION, ctypes.sizeof(SparseArguments))
CHAIN_HEAD, ATTEND_HEAD = (VERSION, ctypes.sizeof(ChainArguments)), (VERSION, ctypes.sizeof(AttendArguments))
ATTEND_GRAD_HEAD = (VERSION, ctypes.sizeof(AttendGradArguments))

# The result and the arguments of every function of recurra.h.
FUNCTIONS = {
    "recurra_number": (c_int32, [c_int32]),
    "recurra_cells": (c_char_p, []),
    "recurra_cell": (c_int32, [c_char_p]),
    "recurra_saved_blocks": (c_int32, [c_int32, c_int32]),
    "recurra_cell_resets": (c_int32, [c_int32]),
    "recurra_forward": (c_int32, [POINTER(ScanArguments)]),
    "recurra_backward": (c_int32, [POINTER(ScanArguments), POINTER(GradArguments)]),
    "recurra_energy_forward": (c_int32, [POINTER(EnergyArguments)]),
    "recurra_energy_backward": (c_int32, [POINTER(EnergyArguments)]),
    "recurra_sparse_forward": (c_int32, [POINTER(SparseArguments)]),
    "recurra_chain_forward": (c_int32, [POINTER(ChainArguments)]),
    "recurra_chain_backward": (c_int32, [POINTER(ChainArguments)]),
    "recurra_chain_best": (c_int32, [POINTER(ChainArguments)]),
    "recurra_attend_forward": (c_int32, [POINTER(ScanArguments), POINTER(AttendArguments)]),
    "recurra_attend_backward": (
        c_int32,
        [POINTER(ScanArguments), POINTER(AttendArguments), POINTER(AttendGradArguments)],
    ),
    "recurra_attend_pack": (c_int64, [POINTER(ScanArguments), POINTER(AttendArguments), c_void_p]),
    "recurra_stepper_new": (c_void_p, [POINTER(ScanArguments)]),
    "recurra_stepper_step": (None, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "recurra_stepper_free": (None, [c_void_p]),
    "recurra_instruction_sets": (c_char_p, []),
    "recurra_instruction_set": (c_char_p, []),
    "recurra_use_instruction_set": (c_int32, [c_char_p]),
    "recurra_rounds": (c_int32, []),
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
    structs = ScanArguments, GradArguments, EnergyArguments, SparseArguments, ChainArguments
    here = (VERSION, *map(ctypes.sizeof, (*structs, AttendArguments, AttendGradArguments)))
    return all(library.recurra_number(which) == number for which, number in enumerate(here))


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


def scan_type(dtype: torch.dtype) -> int:
    """Return the library's number of the type in which a scan computes, now.

    Floats are rounded in products where torch may do that, too (``torch.set_float32_matmul_precision("medium")``).
    """
    rounds = dtype is torch.float32 and torch.get_float32_matmul_precision() == "medium"
    return ROUNDED if rounds else DTYPES[dtype]


def succeed(code: int) -> None:
    """Raise what the ``code`` says that a function of the library returned."""
    if code == NO_MEMORY:
        raise MemoryError("The native engine got no memory for its work space: use smaller batches or shorter pieces.")
    if code == OTHER_VERSION:
        raise ConfigError("The native engine belongs to another version of recurra: run pip install again.")
    if code:
        raise RuntimeError(f"The native engine failed with code {code}: please report it, with the cell and the sizes.")
