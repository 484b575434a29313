"""A few threads that each run a pass on one core, and a way to follow and to stop them.

Small convolutions gain little from being split over cores, and lose much where another program holds one of
them: the others then wait at every layer. Whole passes side by side do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier, Lock
from typing import TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
Sign = TypeVar("Sign")
HEARTBEAT = 0.2
"""Longest time in seconds between two signs of life."""

_STARTING = Lock()


@contextmanager
def workers(count: int, cores: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Run a pool of `count` threads, each computing on its share of the cores, and wait for them at the end.

    The number of threads that torch uses elsewhere stays as it was.

    Parameters
    ----------
    count : int
    cores : int, optional
        On how many cores each computes instead.
    """
    import torch

    barrier = Barrier(count)

    def start(share: int) -> None:
        torch.get_num_threads()  # a thread's first use of torch takes the common number: have that done now
        torch.set_num_threads(share)
        barrier.wait()

    with ThreadPoolExecutor(count, thread_name_prefix="mrsynth") as pool:
        with _STARTING:  # setting it in a worker also sets it for threads that start later, so it is set back
            threads = torch.get_num_threads()
            share = max(1, threads // count) if cores is None else cores
            for begun in [pool.submit(start, share) for _ in range(count)]:
                begun.result()
            torch.set_num_threads(threads)
        yield pool


def attend(call: Callable[[], Outcome], step: Sign) -> Generator[Sign, None, Outcome]:
    """Run one call that has no steps of its own in a thread.

    Yields
    ------
    object
        `step`, before the call begins and each time :data:`HEARTBEAT` seconds have passed. Closing the
        generator forgets the call's outcome.

    Returns
    -------
    object
        What the call returned.

    Raises
    ------
    Exception
        Whatever the call raised.
    """
    yield step
    pool = ThreadPoolExecutor(1, thread_name_prefix="mrsynth")
    future = pool.submit(call)
    try:
        while not wait([future], timeout=HEARTBEAT).done:
            yield step
        return future.result()
    finally:
        pool.shutdown(wait=future.done())


def follow(
    pool: ThreadPoolExecutor, work: Callable[[Task], None], tasks: Iterable[Task], ahead: int
) -> Generator[Task | None, None, None]:
    """Run `work` on every task, at most `ahead` under way.

    Yields
    ------
    Task or None
        Each task when it is done, in the order of completion; None where :data:`HEARTBEAT` seconds passed
        without one. Closing the generator starts no further task.

    Raises
    ------
    Exception
        Whatever `work` raised first.
    """
    waiting = iter(tasks)
    running: dict[Future[None], Task] = {}
    try:
        while True:
            while len(running) < ahead:
                try:
                    task = next(waiting)
                except StopIteration:
                    break
                running[pool.submit(work, task)] = task
            if not running:
                return
            done, _ = wait(running, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
            if not done:
                yield None
            for future in done:
                task = running.pop(future)
                future.result()
                yield task
    finally:
        for future in running:
            future.cancel()
