"""Cross-validate a configuration: a training per fold, measured on those it has not learnt from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.progress import Progress, ProgressCallback, Stopwatch
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.experiments.plan import DEALT, LAST_WEIGHTS, UNWATCHED, refuse_several_devices
from napari_mrsynth.training.figures import Figure, Line, figures_of, lines_of
from napari_mrsynth.training.strict import refuse_fixed, setting

FIXED = {
    **DEALT,
    **UNWATCHED,
    "run.measure": "every fold is measured",
}
"""Settings that a cross-validation decides itself, and how."""


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation left behind.

    Attributes
    ----------
    folds : int
    figures : tuple of Figure
    bundles : tuple of Path
        A model per fold.
    skipped : tuple of (id, reason)
        Patients that could not be used.
    """

    folds: int
    figures: tuple[Figure, ...]
    bundles: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every measured thing over all patients, each measured once."""
        return lines_of(self.figures)


_IN_OPTIONS = "Give another number of --folds, or another --folder."
_SEVERAL_DEVICES = (
    "Train each fold with `mrsynth train` as docs/how-to/train.md says, then cross-validate on one device: "
    "what is trained is only measured."
)


def crossvalidate(
    config_path: str | Path,
    folds: int,
    folder: Path,
    overrides: Sequence[str] = (),
    report: ProgressCallback | None = None,
) -> CrossValidation:
    """Train and measure every fold; what an earlier call has trained, or begun to, is gone on with.

    The weights of the last step are measured, whatever checks the configuration asks for: the best on the
    held-out patients would have been chosen on those that they are measured on.

    Parameters
    ----------
    config_path : path
        Who is held out there does not matter.
    folds : int
        2 or more.
    folder : Path
        A run folder per fold is kept in it, ``fold-0`` and on, and the figures as ``crossvalidation.csv``.
    overrides : sequence of str
        ``optim.steps=100`` and the like.
    report : callable, optional
        Told the progress.

    Raises
    ------
    ConfigError
        If the configuration is wrong, an override would have no effect, there are fewer patients than
        folds, or several devices are asked for.
    MrsynthError
        What :func:`napari_mrsynth.training.run.train` raises.
    """
    from napari_mrsynth.training.run import train

    if folds < 2:
        raise ConfigError(f"{folds} folds cannot be made.", hint="Give 2 or more.")
    refuse_fixed(overrides, FIXED)
    decided = ("data.held_out=[]", f"data.folds={folds}", *LAST_WEIGHTS)
    refuse_several_devices(load_config(config_path, [*overrides, *decided]).run, "folds", _SEVERAL_DEVICES)
    figures: list[Figure] = []
    bundles: list[Path] = []
    skipped: dict[str, str] = {}
    for fold in range(folds):
        own = (
            *overrides,
            *decided,
            f"data.fold={fold}",
            setting("run.folder", str(folder / f"fold-{fold}")),
            "run.measure=true",
        )
        try:
            outcome = train(config_path, own, _within(report, fold, folds))
        except ConfigError as error:
            hint = _IN_OPTIONS if any(key in error.message + error.hint for key in FIXED) else error.hint
            raise ConfigError(error.message, hint=hint) from error
        figures += figures_of(fold, outcome.results, outcome.people)
        bundles.append(outcome.bundle)
        skipped.update(outcome.skipped)
    _write(folder / "crossvalidation.csv", figures)
    return CrossValidation(folds, tuple(figures), tuple(bundles), tuple(skipped.items()))


def _within(report: ProgressCallback | None, fold: int, folds: int) -> ProgressCallback | None:
    """Return a callback for one fold's training; the folds after it are taken to last as long."""
    if report is None:
        return None
    watch = Stopwatch()

    def show(inner: Progress) -> None:
        left = inner.seconds_left
        if left is not None and inner.fraction > 0:  # before it trains, patients are prepared for all folds
            left += (folds - fold - 1) * (watch.seconds + left)
        report(
            Progress((fold + inner.fraction) / folds, f"Fold {fold + 1} of {folds}, {inner.message}", left)
        )

    return show


def _write(path: Path, figures: Sequence[Figure]) -> None:
    with replacing(path) as temporary, Path(temporary).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(item.name for item in fields(Figure))
        rows.writerows(astuple(figure) for figure in figures)
