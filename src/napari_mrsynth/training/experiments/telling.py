"""How far an experiment is: volumes are counted as they are made; trainings happen between two of them."""

from __future__ import annotations

from napari_mrsynth.progress import Progress, ProgressCallback, Stopwatch


class Teller:
    """Counts the volumes that are made, and says so.

    Parameters
    ----------
    report : callable, optional
        Told the progress.
    total : int
        Volumes in all.
    """

    def __init__(self, report: ProgressCallback | None, total: int) -> None:
        self._report, self._watch, self._total, self._done = report, Stopwatch(), max(total, 1), 0

    def __call__(self, message: str) -> None:
        """Count one volume."""
        self._done += 1
        if self._report is not None:
            self._report(self._watch.at(self._done / self._total, message))

    def within(self, part: str) -> ProgressCallback | None:
        """Return a callback for a training that happens between two volumes."""
        report, fraction = self._report, self._done / self._total
        if report is None:
            return None
        return lambda inner: report(Progress(fraction, f"{part}: {inner}"))
