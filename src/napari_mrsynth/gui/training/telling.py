"""What the “Training” dock says: its phases, and the sentences for how a process ended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from napari_mrsynth.gui.training.process import Ended
from napari_mrsynth.progress import Progress, format_seconds
from napari_mrsynth.training.figures import figures_of, headlines, lines_of

SHOWN_LINES = 4
_INCURABLE = ("DivergedError", "ConfigError", "InputError")
"""Types of errors that come again when a training goes on as it was."""

_FIELDS = {
    "in another run.folder": "under another name",
    "The crops' side": "The crop side (Options)",
    "--rate": "learning rate (Options)",
    "optim.lr": "learning rate (Options)",
    "optim.batch": "crops per step (Options)",
    "optim.crop": "crop side (Options)",
    "optim.steps": "length",
    "run.folder": "name",
    "run.checkpoint_every": "checkpoint every",
    "validation.every": "check every",
    "data.contrasts": "contrasts",
}
"""What the dock's fields are called, by the settings and options that they stand for."""


class Phase(Enum):
    """Where a training stands."""

    EMPTY = "empty"
    LOOKING = "looking"
    READY = "ready"
    RUNNING = "running"
    PAUSING = "pausing"
    STOPPING = "stopping"
    PAUSED = "paused"
    DONE = "done"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"


@dataclass(frozen=True)
class Said:
    """A phase in words.

    Attributes
    ----------
    phase : Phase
    message : str
    hint : str
        What to do next; may be empty.
    progress : Progress or None
        Only while something runs.
    resumable : bool
        Whether this is the end of a training that can be gone on with.
    """

    phase: Phase
    message: str
    hint: str = ""
    progress: Progress | None = None
    resumable: bool = False


NOBODY = Said(Phase.EMPTY, "No patient is listed.", "Add the folders of one to five patients.")
NO_USE = Said(Phase.EMPTY, "No listed patient can be used.", "See why in the list.")
NO_DATA = Said(Phase.EMPTY, "No data folder is chosen.", "Choose the folder that holds a folder per patient.")


def failure(ended: Ended, *, can_resume: bool) -> Said:
    """Say why a process ended that should not have.

    Parameters
    ----------
    ended : Ended
    can_resume : bool
        Whether a checkpoint is there to go on from; of no use after an error that would come again.
    """
    error = ended.report.get("error")
    if isinstance(error, Mapping) and error.get("type") in _INCURABLE:
        can_resume = False
    on = "Resume goes on from the last checkpoint." if can_resume else ""
    if isinstance(error, Mapping):
        message, hint = (in_the_dock(str(error.get(part, ""))) for part in ("message", "hint"))
        return Said(Phase.FAILED, message, f"{hint} {on}".strip(), resumable=can_resume)
    how = "was ended by the system" if ended.crashed else f"ended with {ended.exit_code}"
    last = "\n".join(ended.last_lines[-SHOWN_LINES:])
    if not last:
        last = (
            "It said nothing; out of memory is a common cause: lower crops per step or crop side (Options)."
        )
    return Said(
        Phase.FAILED,
        f"The training process {how}. napari is not affected.",
        f"{last}\n{on}".strip(),
        resumable=can_resume,
    )


def next_checkpoint(step: int, steps: int, every: int, seconds_left: float | None) -> str:
    """Say when the next checkpoint comes; nothing before the first step and after the last.

    Parameters
    ----------
    step, steps : int
        The last step that was told, and how many are to be taken.
    every : int
        Steps between checkpoints.
    seconds_left : float or None
        Of the whole training.
    """
    left = steps - step
    if not step or left <= 0:
        return ""
    if seconds_left is None:
        return f"It comes within {every} steps. "
    seconds = seconds_left * min(every, left) / left
    return f"It comes within {every} steps, in at most {format_seconds(seconds)}. "


def in_the_dock(text: str) -> str:
    """Call settings as the dock does, where it has fields for them."""
    for setting, field in _FIELDS.items():
        text = re.sub(rf"(?<![\w.'-]){re.escape(setting)}(?![\w=])", field, text)
    return text


def trained(report: Mapping[str, Any], model: str, kept_in_run: str = "") -> Said:
    """Say what a training came to; `kept_in_run` is why it is not among the models."""
    found = headlines(lines_of(figures_of(0, report["results"], report.get("people"))))
    figure = "".join(
        f" Mean {name} on all slices of the held-out patients: {found[measure].spread.mean:.4f}."
        for measure, name in (("nmse", "error"), ("dice", "Dice"))
        if measure in found and found[measure].spread.count
    )
    taken, used = report["steps"], report["exported_step"]
    best = f" The weights of step {used} were the best there." if used < taken else ""
    where = f"The model is in {report['bundle']}. {kept_in_run}" if kept_in_run else in_the_list(model)
    out = _left_out((each["subject"], each["reason"]) for each in report.get("skipped", ()))
    return Said(Phase.DONE, f"Done after {taken} steps.{figure}{best}", f"{where} {out}".strip())


def fine_tuned(report: Mapping[str, Any]) -> Said:
    """Say what a fine-tuning came to."""
    before, after = report["nmse"]["mean_before"], report["nmse"]["mean_after"]
    change = _change(before, after)
    aside = f"Measured on {report['kept_aside']}."
    out = _left_out((each["patient"], each["reason"]) for each in report.get("skipped", ()))
    notes = " ".join([*map(str, report["notes"]), out])
    if report["rolled_back"]:
        text = f"Rolled back: the error on what was kept aside did not fall ({change})."
        return Said(
            Phase.ROLLED_BACK,
            text,
            f"No model was written, the old one is as it was. {aside} {notes}".strip(),
        )
    text = f"Better on what was kept aside: mean error {change}, in {format_seconds(report['seconds'])}."
    return Said(Phase.DONE, text, f"{in_the_list(Path(report['bundle']).name)} {aside} {notes}".strip())


def in_the_list(model: str) -> str:
    """Say where a new model is found."""
    return f"“{model}” is in the Synthesis dock's model list."


def rows_of(report: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return (``T1w + T2w → FLAIR``, error before, error after) of a fine-tuning; NaN where unknown.

    The first row of several is their mean, which the fine-tuning is judged by.
    """
    errors = report["nmse"]
    before, after = errors["before"], errors["after"]
    pairs = [(_pair(name), _number(error), _number(after.get(name))) for name, error in before.items()]
    if len(pairs) < 2:
        return pairs
    return [("Mean of all", _number(errors["mean_before"]), _number(errors["mean_after"])), *pairs]


def percent(before: float, after: float) -> str:
    """Say by how much an error changed; small changes with more digits, so that none is a plain 0."""
    change = 100 * (after / before - 1)
    return f"{change:+.0f} %" if abs(change) >= 1 else f"{change:+.2f} %"


def _left_out(patients: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"Left out: {name}, {reason}" for name, reason in patients)


def _pair(name: str) -> str:
    inputs, _, target = name.partition(">")
    return f"{inputs.replace('+', ' + ')} → {target}"


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or not before:
        return "unknown, as an image without any signal was made"
    digits = 4 if f"{before:.4f}" != f"{after:.4f}" else 6
    return f"{before:.{digits}f} → {after:.{digits}f}, {percent(before, after)}"
