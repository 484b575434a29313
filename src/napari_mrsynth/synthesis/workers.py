"""A few threads that each run a pass on one core, and a way to follow and to stop them.

Small convolutions gain little from being split over cores, and lose much where another program holds one of
them: the others then wait at every layer. Whole passes side by side do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

Task = TypeVar("Task")
HEARTBEAT = 0.2
"""Longest time in seconds between two signs of life."""


@contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Run a pool of `count` threads, each computing on its share of the cores, and wait for them at the end.

    The number of threads that torch uses elsewhere stays as it was.
    """
    import torch

    threads = torch.get_num_threads()
    share = max(1, threads // count)
    barrier = Barrier(count)

    def start() -> None:
        torch.set_num_threads(share)
        barrier.wait()

    with ThreadPoolExecutor(count, thread_name_prefix="mrsynth") as pool:
        for begun in [pool.submit(start) for _ in range(count)]:
            begun.result()
        torch.set_num_threads(threads)  # setting it in a worker also sets it for threads that start later
        yield pool


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
