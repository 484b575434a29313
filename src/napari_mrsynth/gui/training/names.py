"""The name of a new model: which can be had, and what a training of that name would find."""

from __future__ import annotations

from pathlib import Path

from napari_mrsynth.bundles.card import is_id
from napari_mrsynth.errors import InputError
from napari_mrsynth.gui.training.tasks import checkpoint_in, is_finished

LONGEST_NAME = 64
"""Characters of a new model's name: it names a folder."""


def require_name(name: str) -> None:
    """Refuse a name no model can have before hours are spent on it.

    Raises
    ------
    InputError
        Naming what it may be made of.
    """
    if not _can_be(name):
        raise InputError(
            f"A model cannot be called “{name}”.",
            hint=f"Use letters, digits, “.”, “_” and “-”, at most {LONGEST_NAME} of them.",
        )


def what_is_there(folder: Path, name: str) -> str:
    """Say what a training of this name finds in its run folder; empty for nothing."""
    if not _can_be(name) or not folder.is_dir():
        return ""
    if is_finished(folder, name):
        return f"The run “{name}” is finished: choose another name."
    if checkpoint_in(folder).is_file():
        return f"A run “{name}” is there: Start goes on with it."
    return f"A run “{name}” is there without a checkpoint: Start begins anew."


def _can_be(name: str) -> bool:
    return is_id(name) and len(name) <= LONGEST_NAME
