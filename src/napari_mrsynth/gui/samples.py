"""The sample patients behind *File > Open Sample*."""

from __future__ import annotations

from napari_mrsynth.gui.layer_data import LayerTuple, layer_tuple


def digital_brain() -> list[LayerTuple]:
    """Return the layers of the digital brain: real T1w anatomy; T2w, FLAIR and PDw simulated."""
    return _layers("digital-brain")


def digital_brain_with_lesion() -> list[LayerTuple]:
    """Return the layers of the digital brain with a made-up lesion and its labels."""
    return _layers("digital-brain-lesion")


def ms_patient() -> list[LayerTuple]:
    """Return the layers of a real patient with multiple sclerosis, fetched the first time.

    Raises
    ------
    SampleError
        If it cannot be fetched, saying what to do offline.
    """
    return _layers("ms-patient")


def _layers(identity: str) -> list[LayerTuple]:
    from napari_mrsynth.samples import catalogue

    sample = next(sample for sample in catalogue() if sample.id == identity)
    patient = sample.load()
    layers = [layer_tuple(volume) for volume in patient.volumes]
    if patient.lesions is not None:
        layers.append(layer_tuple(patient.lesions, name="lesions"))
    return layers
