"""The digital brain: real anatomy that works offline, its missing contrasts *simulated* from physics.

The T1-weighted image is the ICBM 152 template. T2w, FLAIR and PDw are computed from its tissue maps by the
signal equations of :mod:`~napari_mrsynth.samples.relaxation`: no scanner saw them, and no model made them
either. They are there to try the program with, not to measure anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.progress import Stopwatch
from napari_mrsynth.samples import lesion as tumour
from napari_mrsynth.samples.anatomy import Anatomy, load_anatomy, t1w_of
from napari_mrsynth.samples.relaxation import (
    FLUID,
    GREY,
    SEQUENCES,
    WHITE,
    FloatArray,
    Sequence,
    Tissue,
)
from napari_mrsynth.samples.steps import Steps, finish

if TYPE_CHECKING:
    from napari_mrsynth.io import PatientFiles

_GAIN = 4000.0  # scanner units for pure water, fully relaxed
_T1W_GAIN = 1000.0
_NOISE = 10.0  # standard deviation of each receiver channel in those units: about 2 % of FLAIR's grey matter
_MNI_SPACE = 4  # NIfTI's code for MNI 152
_IRON_R2 = (25.8 - 14.4) / 1000  # pallidum above cortex, 1/ms at 3 T (Gelman et al. 1999)

TEMPLATE_NOTE = "ICBM 152 2009a template: the average of 152 T1-weighted scans, not one person's"
SIMULATED_NOTE = (
    "simulated: computed from tissue maps by a signal equation, neither acquired nor made by a model"
)
LESION_NOTE = "the lesion is made up: drawn into the tissue maps, without mass effect"


def digital_brain(*, lesion: bool = False, seed: int = 0) -> PatientFiles:
    """Make the offline sample patient (some five seconds; see :func:`simulate_brain`)."""
    return finish(simulate_brain(lesion=lesion, seed=seed))


def simulate_brain(*, lesion: bool = False, seed: int = 0) -> Steps[PatientFiles]:
    """Make the offline sample patient, one scan a step.

    Parameters
    ----------
    lesion : bool
        Whether to draw a right frontal glioma with oedema into it; its labels (1 necrotic core, 2 oedema,
        3 solid tumour) come as the patient's lesions.
    seed : int
        Of the noise in the simulated scans. T1w is the same for every seed, so brains of two seeds are one
        person: a training refuses to learn from one and be measured on the other.

    Yields
    ------
    Progress
        Before each scan.

    Returns
    -------
    PatientFiles
        T1w, T2w, FLAIR and PDw on one grid (197 x 233 x 189 voxels of 1 mm, RAS, MNI space), skull-stripped
        (0 outside the brain), int16. T1w is the template's own intensity times 1000 and carries no added
        noise; the others carry Rician noise and say in their notes and in their NIfTI header that they are
        simulated.

    Raises
    ------
    SampleError
        If nilearn, which brings the template, is not installed.
    """
    from napari_mrsynth.io import PatientFiles

    watch = Stopwatch()
    yield watch.at(0.0, "Reading the template")
    anatomy = load_anatomy()
    grown = tumour.glioma(anatomy) if lesion else None
    notes = (LESION_NOTE,) if lesion else ()
    parts = _parts(anatomy, grown)
    volumes = [_volume(anatomy, "T1w", _t1w(anatomy, grown), TEMPLATE_NOTE, *notes)]
    for count, (contrast, sequence) in enumerate(SEQUENCES.items()):
        yield watch.at((1 + count) / (1 + len(SEQUENCES)), f"Simulating {contrast}")
        clean = np.float32(_GAIN) * _magnitude(parts, sequence)
        noisy = _rician(clean, np.random.default_rng([seed, *contrast.encode()]))
        volumes.append(_volume(anatomy, contrast, noisy, SIMULATED_NOTE, sequence_text(sequence), *notes))
    return PatientFiles(
        name="digital-brain-lesion" if lesion else "digital-brain",
        volumes=tuple(volumes),
        lesions=None if grown is None else _labels(anatomy, grown),
        notes=(f"T1w: {TEMPLATE_NOTE}", f"{', '.join(SEQUENCES)}: {SIMULATED_NOTE}", *notes),
    )


def sequence_text(sequence: Sequence) -> str:
    """Return the timings and the equation of a simulated scan, for its notes."""
    timings = f"TR {sequence.tr_ms:g} ms, TE {sequence.te_ms:g} ms"
    if sequence.ti_ms is not None:
        timings += f", TI {sequence.ti_ms:g} ms"
    return f"{sequence.equation} at 3 T, {timings}"


@dataclass(frozen=True, eq=False)
class _Part:
    """What one tissue contributes: its share of every voxel and its properties, shape (n,) or (1,)."""

    share: FloatArray
    t1_ms: FloatArray
    t2_ms: FloatArray
    water: FloatArray


def _parts(anatomy: Anatomy, grown: tumour.Lesion | None) -> list[_Part]:
    """Return everything that shares the brain's voxels; the shares add up to 1."""
    healthy = np.float32(1) if grown is None else grown.spared(anatomy)
    parts = [
        _uniform(anatomy.fluid, FLUID),
        _textured(anatomy, anatomy.white * healthy, WHITE),
        _textured(anatomy, anatomy.grey * healthy, GREY),
    ]
    if grown is not None:
        parts += [_uniform(share, tumour.TISSUES[label]) for label, share in grown.shares.items()]
    return parts


def _uniform(share: FloatArray, tissue: Tissue) -> _Part:
    """Return a tissue that is the same everywhere."""
    t1, t2, water = (np.full(1, value, np.float32) for value in (tissue.t1_ms, tissue.t2_ms, tissue.water))
    return _Part(share, t1, t2, water)


def _textured(anatomy: Anatomy, share: FloatArray, tissue: Tissue) -> _Part:
    """Return a tissue that varies with the template.

    Where the template is darker than its tissue shares explain, T1, T2 and water go the way from white to
    grey matter: their logarithms move in the proportion in which those two tissues differ. Iron adds to 1/T2.
    """
    whole = np.log(GREY.t1_ms / WHITE.t1_ms)
    t2_power = np.float32(np.log(GREY.t2_ms / WHITE.t2_ms) / whole)
    water_power = np.float32(np.log(GREY.water / WHITE.water) / whole)
    t2 = np.float32(tissue.t2_ms) * np.exp(anatomy.texture * t2_power)
    t2 /= 1 + np.float32(_IRON_R2) * anatomy.iron * t2
    water = np.float32(tissue.water) * np.exp(anatomy.texture * water_power)
    return _Part(
        share,
        np.float32(tissue.t1_ms) * np.exp(anatomy.texture),
        t2,
        np.minimum(water, np.float32(1)),
    )


def _magnitude(parts: list[_Part], sequence: Sequence) -> FloatArray:
    """Return the signal of the brain's voxels, shape (n,): the magnitude of what all parts add up to."""
    total = sum(part.share * sequence.signal(part.t1_ms, part.t2_ms, part.water) for part in parts)
    magnitude: FloatArray = np.abs(total)
    return magnitude


def _t1w(anatomy: Anatomy, grown: tumour.Lesion | None) -> FloatArray:
    """Return the template's intensity, the lesion's where it grew, shape (n,)."""
    t1w = anatomy.t1w
    if grown is not None:
        t1w = t1w * (1 - grown.total)
        for label, share in grown.shares.items():
            t1w = t1w + share * np.float32(t1w_of(tumour.TISSUES[label].t1_ms))
    return np.float32(_T1W_GAIN) * t1w


def _rician(clean: FloatArray, random: np.random.Generator) -> FloatArray:
    real = clean + _NOISE * random.standard_normal(clean.shape, dtype=np.float32)
    imaginary = _NOISE * random.standard_normal(clean.shape, dtype=np.float32)
    magnitude: FloatArray = np.hypot(real, imaginary)
    return magnitude


def _volume(anatomy: Anatomy, contrast: str, values: FloatArray, *notes: str) -> Volume:
    array = np.zeros(anatomy.grid.shape, dtype=np.int16)
    array[anatomy.mask] = np.maximum(np.round(values), 1)  # 0 means: outside the brain
    made = contrast in SEQUENCES
    text = f"SIMULATED {contrast}, digital brain" if made else "ICBM 152 2009a template, digital brain"
    return Volume(
        array,
        anatomy.grid,
        f"{contrast} (simulated)" if made else f"{contrast} (template)",
        Source(header=_header(anatomy, text)),
        notes,
        contrast=contrast,
    )


def _labels(anatomy: Anatomy, grown: tumour.Lesion) -> LabelVolume:
    return LabelVolume(
        grown.labels(anatomy),
        anatomy.grid,
        "lesion (simulated)",
        Source(header=_header(anatomy, "SIMULATED lesion, digital brain")),
        (LESION_NOTE,),
        labels=tumour.LABELS,
    )


def _header(anatomy: Anatomy, text: str) -> Any:
    """Return a NIfTI header that says MNI space and `text`, so that a saved copy still says it."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(anatomy.grid.shape)
    header.set_qform(anatomy.grid.affine.matrix, code=_MNI_SPACE)
    header.set_sform(anatomy.grid.affine.matrix, code=_MNI_SPACE)
    header.set_xyzt_units("mm")
    header["descrip"] = text.encode("ascii")
    return header
