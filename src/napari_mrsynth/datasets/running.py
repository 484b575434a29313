"""Samples made one after the other, by several processes, or by the workers of a Dask cluster.

A sample depends on the recipe and its own number alone, so who makes it, and when, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

from napari_mrsynth.datasets.record import Record
from napari_mrsynth.errors import ConfigError, InputError

Make = Callable[[int], Record]
"""Makes the sample of a number; can be sent to another process."""


def made(make: Make, indices: Sequence[int], jobs: int = 1, dask: str | None = None) -> Iterator[Record]:
    """Make samples, yielding each record when it is there.

    Parameters
    ----------
    make : callable
        From a sample's number to its record; picklable where `jobs` is more than 1 or `dask` is given.
    indices : sequence of int
    jobs : int
        Processes on this machine.
    dask : str, optional
        Address of a scheduler, ``tcp://host:8786``; its workers must see the same folders.

    Raises
    ------
    ConfigError
        If Dask's ``distributed`` is not installed, or its scheduler does not answer.
    InputError
        If a process ended without a word.
    MrsynthError
        Whatever made a sample fail; those under way are finished, no other is begun.
    """
    if dask is not None:
        return _over_dask(make, indices, dask)
    if jobs > 1 and len(indices) > 1:
        return _over_processes(make, indices, min(jobs, len(indices)))
    return map(_on_one_thread(make), indices)


def _on_one_thread(make: Make) -> Make:
    def alone(index: int) -> Record:
        with one_thread():
            return make(index)

    return alone


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: how a sum is split over threads would change its last bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _begin() -> None:
    """Settle a new process to one thread for good."""
    import torch

    torch.set_num_threads(1)


def _over_processes(make: Make, indices: Sequence[int], jobs: int) -> Iterator[Record]:
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin)
    try:
        for future in as_completed([pool.submit(make, index) for index in indices]):
            yield future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "A process that made samples was killed.",
            hint="There may be too little memory for so many: use fewer --jobs. What is finished is kept.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def require_dask() -> None:
    """Refuse to use a cluster without the package that speaks to it.

    Raises
    ------
    ConfigError
        Saying how to get it.
    """
    if find_spec("distributed") is None:
        raise ConfigError(
            "A Dask cluster needs the package distributed, which is not installed.",
            hint='pip install "napari-mrsynth[cluster]", or use --jobs on this machine.',
        )


def _over_dask(make: Make, indices: Sequence[int], address: str) -> Iterator[Record]:
    require_dask()
    import distributed

    try:
        client: Any = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"No Dask scheduler answers at {address}: {error}.", hint="Start one with `dask scheduler`."
        ) from error
    futures: list[Any] = []
    try:
        futures = client.map(_sent, [make] * len(indices), indices, pure=False)
        for _, outcome in distributed.as_completed(futures, with_results=True):
            yield outcome
    except distributed.KilledWorker as error:
        raise InputError(
            f"Workers of the cluster died while they made samples: {error}.",
            hint="They may have too little memory. What is finished is kept: start the build again.",
        ) from error
    finally:
        client.cancel(futures)
        client.close()


def _sent(make: Make, index: int) -> Record:
    """Make a sample on a worker of a cluster."""
    with one_thread():
        return make(index)
