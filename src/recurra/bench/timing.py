"""How time is measured: contenders in turns, block by block, and the medians of what they took."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch.utils.benchmark import Timer

BLOCK = 0.02  # seconds of one block at least, so that neither the clock nor one interruption decides


class Contender(NamedTuple):
    """One thing to be timed. Those of one name belong together: their times, ``repeats`` times each, are added."""

    name: str
    run: Callable[[], object]
    repeats: int = 1


Times = dict[str, list[float]]  # seconds by name, one for each round


def take_turns(contenders: Sequence[Contender], rounds: int) -> Times:
    """Return the seconds of one call of each contender, block by block in turns.

    A machine that others share drifts, and turns let the drift meet all alike; every other round goes backwards,
    so that nobody always comes after the same neighbour.
    """
    timers = [_timer(contender) for contender in contenders]
    calls = [_calls(timer) for timer in timers]
    every: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds):
        order = range(len(timers)) if number % 2 == 0 else reversed(range(len(timers)))
        for place in order:
            every[place].append(contenders[place].repeats * timers[place].timeit(calls[place]).median)
    times: Times = {}
    for contender, measured in zip(contenders, every, strict=True):
        before = times.get(contender.name, [0.0] * rounds)
        times[contender.name] = [one + other for one, other in zip(before, measured, strict=True)]
    return times


def _timer(contender: Contender) -> Timer:
    # The Timer sets torch's threads itself, to one if it is not told.
    return Timer("run()", globals={"run": contender.run}, num_threads=torch.get_num_threads())


def _calls(timer: Timer) -> int:
    """Return how many calls make a block; the calls it takes to find out are the warm-up."""
    timer.timeit(1)
    calls, taken = 1, timer.timeit(1).median
    while calls * taken < BLOCK:
        calls = max(calls + 1, min(10 * calls, int(1.1 * BLOCK / taken) + 1))
        taken = timer.timeit(calls).median
    return calls


def ratio(times: Times, over: str, under: str) -> float:
    """Return the median over the rounds of one contender's time in multiples of another's."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))
