"""What every page of a measured model opens and closes with."""

from __future__ import annotations

from collections.abc import Sequence

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Card

TRAINING_ERROR = "Training error: the model was trained on patients measured here."


def opening(
    title: str, card: Card, patients: Sequence[str], *, training_error: bool, judged_by: str = ""
) -> list[str]:
    """Return the title, the warning where one is due, and what was measured by which command.

    Parameters
    ----------
    title : str
    card : Card
        Of the measured model.
    patients : sequence of str
    training_error : bool
        Whether the model may have been trained on them.
    judged_by : str
        What else took part, after the weights.
    """
    lines = [f"# {title}, measured", ""]
    if training_error:
        lines += [f"**{TRAINING_ERROR}**", ""]
    lines += [
        f"Made by `mrsynth evaluate --card {card.id} PATIENTS` of napari-mrsynth {__version__}; weights "
        f"`{card.weights_sha256[:12]}`{judged_by}. {how_many(patients)}: {', '.join(patients)}.",
        "",
    ]
    return lines


def how_many(patients: Sequence[str]) -> str:
    """Return the number of patients in words. A card says no more: names may be people's, and it travels."""
    return "1 patient" if len(patients) == 1 else f"{len(patients)} patients"


def closing(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Return who was left out, with the reason; nothing where nobody was."""
    if not skipped:
        return []
    return ["", "Left out: " + " ".join(f"{name} ({reason})" for name, reason in skipped)]
