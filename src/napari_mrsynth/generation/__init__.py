"""Images of painted lesions: whose anatomy, which contrasts, without the lesion, inside a real scan, checked.

Importing this package imports no torch.
"""

from napari_mrsynth.generation.anatomy import Anatomy, patient_anatomy, random_slice
from napari_mrsynth.generation.check import Check, LesionCheck
from napari_mrsynth.generation.into import BLEND_MM, paint_into
from napari_mrsynth.generation.maker import LesionMaker
from napari_mrsynth.generation.models import (
    anatomy_bundle,
    disease_of,
    generator_bundle,
    segmenter_bundle,
)
from napari_mrsynth.generation.painted import Painted, paint_on, paint_slice
from napari_mrsynth.generation.random import RandomAnatomy
from napari_mrsynth.generation.result import Generated

__all__ = [
    "BLEND_MM",
    "Anatomy",
    "Check",
    "Generated",
    "LesionCheck",
    "LesionMaker",
    "Painted",
    "RandomAnatomy",
    "anatomy_bundle",
    "disease_of",
    "generator_bundle",
    "paint_into",
    "paint_on",
    "paint_slice",
    "patient_anatomy",
    "random_slice",
    "segmenter_bundle",
]
