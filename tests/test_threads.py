"""Small work runs on one thread, large work on all, and the number is always put back."""

import pytest
import torch

from recurra.nn.threads import SHARED_WORK, threads_for


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_small_work_runs_on_one_thread_and_large_work_on_all() -> None:
    with threads_for(10, SHARED_WORK // 10 - 1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with threads_for(10, SHARED_WORK // 10):
        assert torch.get_num_threads() == 3


def test_the_number_is_put_back_after_a_fault() -> None:
    with pytest.raises(ZeroDivisionError), threads_for(1, 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3
