"""Small work runs on one thread, large work on all, and the number is always put back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from time import sleep
from typing import Any

import pytest
import torch

from recurra.native.threads import SCAN_WORK, SHARED_WORK, own_threads, threads_for, threads_for_scan


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_small_work_runs_on_one_thread_and_large_work_on_all() -> None:
    with threads_for(10, SHARED_WORK // 10 - 1):
        assert torch.get_num_threads() == 1
        assert threads_for_scan(9 * SCAN_WORK) == 3, "a scan is one piece of work"
    assert torch.get_num_threads() == 3
    with threads_for(10, SHARED_WORK // 10):
        assert torch.get_num_threads() == 3


def test_the_number_is_put_back_after_a_fault() -> None:
    with pytest.raises(ZeroDivisionError), threads_for(1, 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


# With more threads of Python than one


def in_a_thread(function: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def seen() -> list[int]:
    """The numbers of a thread that does small work, before, in it and after it."""
    before = [own_threads(), threads_for_scan(9 * SCAN_WORK)]
    with threads_for(1, 1):
        sleep(0.0005)  # others begin and end meanwhile
        within = [torch.get_num_threads(), threads_for_scan(9 * SCAN_WORK)]
    return [*before, *within, torch.get_num_threads()]


def test_a_thread_that_begins_has_the_number_of_the_others_and_not_the_lowered_one() -> None:
    assert in_a_thread(seen) == [3, 3, 1, 3, 3]
    with threads_for(1, 1):
        assert in_a_thread(torch.get_num_threads) == 3, "also if it does not ask us"
        assert in_a_thread(seen) == [3, 3, 1, 3, 3]
        assert torch.get_num_threads() == 1 and threads_for_scan(9 * SCAN_WORK) == 3
    assert torch.get_num_threads() == 3


def test_a_hundred_threads_at_once_see_the_same() -> None:
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:  # new threads every time
            assert all(one == [3, 3, 1, 3, 3] for one in pool.map(lambda _: seen(), range(200)))
