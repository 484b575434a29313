"""Lesions as labels: classes per disease, a library of real shapes, placing them into a patient's brain."""

from napari_mrsynth.lesions.classes import LABEL_SETS, LabelSet, LesionClass, label_set
from napari_mrsynth.lesions.conform import conform, require_inside
from napari_mrsynth.lesions.drawing import DrawnLesion, random_lesion
from napari_mrsynth.lesions.library import LesionLibrary
from napari_mrsynth.lesions.placing import PlacedLesion, Placement, lay, place, require_placed_inside
from napari_mrsynth.lesions.shape import LesionShape

__all__ = [
    "LABEL_SETS",
    "DrawnLesion",
    "LabelSet",
    "LesionClass",
    "LesionLibrary",
    "LesionShape",
    "PlacedLesion",
    "Placement",
    "conform",
    "label_set",
    "lay",
    "place",
    "random_lesion",
    "require_inside",
    "require_placed_inside",
]
