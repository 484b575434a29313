"""Sample patients: a digital brain that works offline, and a real patient fetched from a public database.

Importing this package imports neither nibabel nor pooch.
"""

from napari_mrsynth.samples.brain import digital_brain, simulate_brain
from napari_mrsynth.samples.catalogue import Sample, catalogue
from napari_mrsynth.samples.patient import cache_folder, fetch_ms_patient, ms_patient

__all__ = [
    "Sample",
    "cache_folder",
    "catalogue",
    "digital_brain",
    "fetch_ms_patient",
    "ms_patient",
    "simulate_brain",
]
