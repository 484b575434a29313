"""Prepared patients seen otherwise: a contrast out of place, the place of every voxel beside, other units."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging import Affine, Grid, Volume
from napari_mrsynth.preprocess.align import estimate_rigid
from napari_mrsynth.preprocess.resample import resample
from napari_mrsynth.progress import ended
from napari_mrsynth.systems.direct.network import LOCATION
from napari_mrsynth.training.prepared import Prepared

DEGREES, VOXELS = 8.0, 2.0
"""Largest rotation about each axis and largest shift along it (Joyce 2017, section 5.3)."""


class View(Protocol):
    """A way of seeing a patient."""

    @property
    def name(self) -> str:
        """What distinguishes it from other views."""
        ...

    def __call__(self, patient: Prepared) -> Prepared:
        """Return the patient so seen; grid, mask and everything else stay."""
        ...


@dataclass(frozen=True)
class AsIs:
    """The patient as prepared."""

    name: str = "as is"

    def __call__(self, patient: Prepared) -> Prepared:
        """Return it."""
        return patient


@dataclass(frozen=True)
class Located:
    """Three more contrasts that say where a voxel lies in the brain's box, 0 to 1 along S, A and R.

    Attributes
    ----------
    folder : Path
        Where the patients so seen are kept.
    """

    folder: Path
    name: str = "located"

    def __call__(self, patient: Prepared) -> Prepared:
        """Return the patient with :data:`LOCATION` after its contrasts."""
        names = (*patient.contrasts, *LOCATION)

        def volumes() -> NDArray[np.float16]:
            brain = patient.mask
            maps = []
            for axis in range(3):
                held = np.flatnonzero(brain.any(axis=tuple(other for other in range(3) if other != axis)))
                place = (np.arange(brain.shape[axis]) - held[0]) / max(held[-1] - held[0], 1)
                shape = [-1 if other == axis else 1 for other in range(3)]
                maps.append(np.broadcast_to(place.reshape(shape), brain.shape) * brain)
            return np.concatenate([patient.volumes, np.stack(maps).astype(np.float16)])

        return _kept(self.folder, patient, self.name, {"contrasts": list(names)}, volumes)


@dataclass(frozen=True)
class Framed:
    """Every scan in units of its mean over a whole frame, background and all, as the paper normalises.

    The slices that show brain, each trimmed or padded with 0 to the frame: a brain is then as many times
    brighter as it is smaller than its frame.

    Attributes
    ----------
    folder : Path
        Where the patients so seen are kept.
    frame : (int, int)
        Its pixels.
    """

    folder: Path
    frame: tuple[int, int]

    @property
    def name(self) -> str:
        """What distinguishes it from other views."""
        return f"means over {self.frame[0]}x{self.frame[1]} pixels"

    def brightness(self, patient: Prepared) -> float:
        """Return the mean of the brain in the new units; of scans divided by their mean over the brain."""
        slices = int(patient.mask.any(axis=(1, 2)).sum())
        return slices * self.frame[0] * self.frame[1] / int(patient.mask.sum())

    def __call__(self, patient: Prepared) -> Prepared:
        """Return the patient in the new units."""
        brighter = self.brightness(patient)

        def volumes() -> NDArray[np.float16]:
            return (np.asarray(patient.volumes, np.float32) * brighter).astype(np.float16)

        return _kept(self.folder, patient, self.name, {"brightness": brighter}, volumes)


@dataclass(frozen=True)
class Misaligned:
    """Some contrasts turned and shifted by a random rigid motion, the same one whenever they are seen.

    Attributes
    ----------
    folder : Path
        Where the patients so seen are kept.
    moved : tuple of str
        Contrasts that are out of place.
    seed : int
    degrees, voxels : float
        Largest rotation about each axis, and largest shift along it.
    draw : int
        Which of a patient's motions it is; every one is another.
    within_slices : bool
        Whether it also moves voxels within their axial slice: turns about S, shifts along A and R.
    """

    folder: Path
    moved: tuple[str, ...]
    seed: int = 0
    degrees: float = DEGREES
    voxels: float = VOXELS
    draw: int = 0
    within_slices: bool = True

    @property
    def name(self) -> str:
        """What distinguishes it from other views."""
        within = f"{self.degrees:g} degrees, {self.voxels:g} voxels"
        only = "" if self.within_slices else ", out of slices only"
        return f"{'+'.join(self.moved)} within {within}, seed {self.seed}{self._drawn}{only}"

    @property
    def _drawn(self) -> str:
        return f" draw {self.draw}" if self.draw else ""

    def motion(self, subject: str, contrast: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw a patient's motion: degrees about, and voxels along, the axes S, A and R."""
        named = hashlib.sha256(f"{self.seed} {subject} {contrast}{self._drawn}".encode()).digest()
        rng = np.random.default_rng(list(named))
        angles, shift = rng.uniform(-self.degrees, self.degrees, 3), rng.uniform(-self.voxels, self.voxels, 3)
        if not self.within_slices:
            angles[0] = shift[1] = shift[2] = 0.0
        return angles, shift

    def __call__(self, patient: Prepared) -> Prepared:
        """Return the patient with the contrasts moved (linear interpolation, 0 from outside)."""
        motions = {c: self.motion(patient.subject, c) for c in self.moved if c in patient.contrasts}
        said = {c: {"degrees": list(a), "voxels": list(s)} for c, (a, s) in motions.items()}

        def volumes() -> NDArray[np.float16]:
            moved = np.array(patient.volumes)
            for contrast, motion in motions.items():
                index = patient.contrasts.index(contrast)
                moved[index] = rigidly_moved(patient.volume(contrast), *motion)
            return moved

        return _kept(self.folder, patient, self.name, {"moved": said}, volumes)


@dataclass(frozen=True)
class Realigned:
    """Contrasts that are out of place, brought back to another by rigid registration in three dimensions.

    Attributes
    ----------
    folder : Path
        Where the patients so seen are kept.
    misaligned : Misaligned
        How the patients are seen before.
    reference : str
        The contrast they are brought to.
    """

    folder: Path
    misaligned: Misaligned
    reference: str

    @property
    def name(self) -> str:
        """What distinguishes it from other views."""
        return f"{self.misaligned.name}, brought back to {self.reference}"

    def __call__(self, patient: Prepared) -> Prepared:
        """Return the patient with the contrasts brought back (:mod:`napari_mrsynth.preprocess.align`)."""
        seen = self.misaligned(patient)
        spacing = float(patient.meta["spacing_mm"])
        to_ras = np.diag([0.0, 0.0, 0.0, 1.0])
        to_ras[[2, 1, 0], [0, 1, 2]] = spacing

        def placed(contrast: str) -> Volume:
            array = seen.volume(contrast)
            return Volume(array, Grid(array.shape, Affine(to_ras)), contrast=contrast)

        def volumes() -> NDArray[np.float16]:
            back = np.array(seen.volumes)
            fixed = placed(self.reference)
            for contrast in self.misaligned.moved:
                moving = placed(contrast)
                motion = ended(estimate_rigid(fixed, moving))
                back[seen.contrasts.index(contrast)] = resample(moving, fixed.grid, motion=motion).array
            return back

        return _kept(self.folder, patient, self.name, {"realigned": list(self.misaligned.moved)}, volumes)


def rigidly_moved(
    volume: NDArray[np.float32], degrees: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Turn a volume (S, A, R) about its centre, about each axis in turn, and shift it by voxels.

    A positive angle about S turns A towards R; voxels that come from outside are 0.
    """
    from scipy.ndimage import affine_transform
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    centre = (np.asarray(volume.shape) - 1) / 2
    offset = centre - turn.T @ (centre + shift)
    moved: NDArray[np.float32] = affine_transform(volume, turn.T, offset, order=1)
    return moved


def _kept(folder: Path, patient: Prepared, view: str, said: Mapping[str, Any], volumes: Any) -> Prepared:
    """Keep a patient with other volumes; made once."""
    key = hashlib.sha256(f"{patient.record()['sha256']} {patient.folder.name} {view}".encode()).hexdigest()
    place = folder / f"{patient.subject.replace('/', '_')}-{key[:12]}"
    if not (place / "meta.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            np.save(made / "volumes.npy", volumes())
            np.save(made / "mask.npy", patient.mask)
            (made / "meta.json").write_text(json.dumps({**patient.meta, **said}, indent=1), encoding="utf-8")
            if not place.exists():
                made.rename(place)
    return Prepared(patient.subject, place, patient.patient)
