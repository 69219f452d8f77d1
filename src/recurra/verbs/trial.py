"""One trial of a search: a training that is ended where it is hopeless, in this process or another one."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..compare.metric import Metric
from ..errors import RecurraError
from ..native.threads import set_threads
from ..tasks.base import Kind, Prepared
from ..tasks.session import Session, watchable
from ..training.loop import Epoch
from ..training.meter import OnEpoch
from ..tuning.pruning import Curve, hopeless
from ..tuning.space import Point
from ..tuning.trials import CUT, FAILED, FINISHED, PRUNED, Trial
from .common import ignore


@dataclass(frozen=True)
class Job:
    """All that a trial needs, wherever it runs."""

    number: int
    point: Point | None
    values: dict[str, Any]  # of the settings that vary, as a person writes them
    prepared: Prepared | None  # None if these settings do not go together
    why: str = ""  # they do not
    rule: str = "none"  # by which it may be ended early, beside
    rivals: Sequence[Curve] = ()
    threads: int | None = None  # as many as there are, if None
    seconds: float = math.inf  # until there is no time left


def run_trial(job: Job, on_epoch: OnEpoch = ignore) -> Trial:
    """Train as a ``job`` says, and return how it went."""
    if job.prepared is None:
        return Trial(job.number, job.point, job.values, FAILED, why=job.why)
    begun = time.monotonic()
    state, curve, why, parameters = FINISHED, list[float](), "", 0
    metric = metric_of(job.prepared)
    sign = -1.0 if metric.better == "high" else 1.0
    try:
        with set_threads(job.threads):
            session = Session(job.prepared)
            parameters = session.fitted.record.parameters
            for epoch in session.first_epochs():
                curve.append(min([sign * score_of(epoch), *curve[-1:]]))
                on_epoch(f"trial {job.number}", epoch, session.outlook)
                if hopeless(job.rule, curve, job.rivals, session.most_epochs):
                    state = PRUNED
                elif time.monotonic() - begun > job.seconds and not session.progress.exhausted(_settings(job)):
                    state = CUT
                if state != FINISHED:
                    break
    except RecurraError as fault:
        state, why = FAILED, str(fault)
    score = sign * curve[-1] if curve and state != FAILED else math.nan
    seconds = round(time.monotonic() - begun, 3)
    return Trial(job.number, job.point, job.values, state, score, tuple(curve), seconds, parameters, why)


def _settings(job: Job) -> Any:
    assert job.prepared is not None
    return job.prepared.config.training


def score_of(epoch: Epoch) -> float:
    """Return by what an epoch counts: the metric that is watched, or the loss on validation."""
    if epoch.watched is not None:
        return epoch.watched
    return epoch.train_loss if epoch.valid_loss is None else epoch.valid_loss


def metric_of(prepared: Prepared) -> Metric:
    """Return by what trials are told apart: the loss on validation, or the metric that is watched."""
    watch = prepared.config.training.watch
    if watch == "loss":
        return Metric("loss", "validation loss", "low", lambda statistics: math.nan)
    return watchable(watch, prepared.kind.metrics(prepared.config))


def rank_of(kind: Kind, prepared: Prepared) -> str:
    """Return the metric that ranks models of this kind."""
    return kind.metrics(prepared.config)[0].name


def run_all(jobs: Iterator[Job], at_once: int | None, on_epoch: OnEpoch) -> Iterator[Trial]:
    """Run ``jobs``, so many ``at_once``, and yield each trial when it has ended.

    They run in the processes, or on the machines, of joblib: with None as the user's ``joblib.parallel_config`` says.
    """
    import joblib
    from joblib.parallel import get_active_backend

    if workers(at_once) == 1:
        yield from (run_trial(job, on_epoch) for job in jobs)
        return
    waits = get_active_backend()[0].supports_return_generator
    pool = joblib.Parallel(
        n_jobs=at_once,
        return_as="generator_unordered" if waits else "list",
        pre_dispatch="n_jobs",
        batch_size=1,
        max_nbytes=None,  # memory that is shared cannot be written to, which torch warns of
    )
    yield from pool(joblib.delayed(run_trial)(job) for job in jobs)


def workers(at_once: int | None) -> int:
    """Return how many trials run at the same time."""
    import joblib

    count: Callable[[int | None], int] = joblib.effective_n_jobs
    return count(at_once)
