"""Made-up scans with known anatomy: different on all six sides, the same on every grid.

Everything is a function of RAS millimetres, so one patient can be put on any grid (axis order, spacing,
obliquity) and must look the same there. Use as ``from phantoms import phantom, brain_study``.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mrsynth.imaging import Affine, BrainMask, Grid, LabelVolume, Member, Source, Study, Volume

ALL_CODES = tuple("".join(code) for axes in permutations(("RL", "AP", "SI")) for code in product(*axes))
"""The 48 axis orders."""

RADII_MM = (66.0, 84.0, 60.0)
"""Half-axes of the phantom brain along R, A and S."""

# Intensity by tissue; the three of a brain, its lesion and the six marks of its sides.
TISSUES = ("csf", "grey", "white", "lesion", "right", "left", "anterior", "posterior", "superior", "inferior")
INTENSITY = {
    "T1w": (0.25, 0.65, 1.00, 0.55, 0.30, 1.30, 0.45, 1.20, 0.80, 0.50),
    "T1ce": (0.27, 0.70, 1.02, 1.70, 0.35, 1.35, 0.50, 1.25, 0.90, 0.55),
    "T2w": (1.70, 1.00, 0.70, 1.45, 1.30, 0.40, 1.20, 0.50, 0.60, 1.10),
    "FLAIR": (0.20, 1.00, 0.80, 1.60, 1.25, 0.45, 1.15, 0.55, 0.65, 1.05),
    "PDw": (1.10, 1.00, 0.80, 1.20, 1.05, 0.70, 0.95, 0.60, 0.75, 0.90),
}
_MARKS = {  # place in units of the half-axes (R, A, S) and radius in the same units; no two alike
    "right": ((0.72, 0.05, 0.10), 0.17),
    "left": ((-0.70, -0.10, 0.05), 0.13),
    "anterior": ((0.12, 0.75, 0.0), 0.15),
    "posterior": ((-0.15, -0.74, 0.12), 0.12),
    "superior": ((0.10, 0.12, 0.76), 0.16),
    "inferior": ((-0.05, 0.20, -0.72), 0.18),
}
LESION_AT = ((0.38, 0.33, 0.30), 0.16)


def affine_of(
    shape: Sequence[int],
    spacing: Sequence[float] = (4.0, 4.0, 4.0),
    codes: str = "RAS",
    tilt_deg: Sequence[float] = (0.0, 0.0, 0.0),
    centre_mm: Sequence[float] = (0.0, 0.0, 0.0),
) -> Affine:
    """An affine whose field of view is centred on `centre_mm`, tilted about x, then y, then z."""
    matrix = np.array(Affine.from_parts(spacing, codes=codes).matrix)
    matrix[:3, :3] = rotation(tilt_deg) @ matrix[:3, :3]
    matrix[:3, 3] = np.asarray(centre_mm) - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Affine(matrix)


def rotation(degrees: Sequence[float]) -> NDArray[np.float64]:
    """The 3x3 rotation about x, then y, then z, in degrees."""
    x, y, z = np.radians(degrees)
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx


def tissue_at(points_mm: ArrayLike, *, lesion: bool = False) -> NDArray[np.int64]:
    """Which tissue lies at RAS mm points (..., 3): 0 outside, else 1 + its place in `TISSUES`."""
    unit = np.asarray(points_mm, dtype=np.float64) / RADII_MM
    radius = np.linalg.norm(unit, axis=-1)
    x, y, z = np.moveaxis(unit, -1, 0)
    folds = 0.07 * np.sin(9 * x + 1) * np.cos(7 * y) * np.sin(8 * z + 0.5)
    tissue = np.where(radius < 0.74 + folds, 3, 2)
    deep = np.linalg.norm((unit - (0.25, 0.0, -0.05)) / (0.14, 0.22, 0.16), axis=-1) < 1
    deep |= np.linalg.norm((unit - (-0.25, 0.0, -0.05)) / (0.13, 0.20, 0.15), axis=-1) < 1
    tissue[deep] = 2
    ventricles = np.linalg.norm((unit - (0.12, -0.05, 0.12)) / (0.09, 0.34, 0.16), axis=-1) < 1
    ventricles |= np.linalg.norm((unit - (-0.12, -0.02, 0.12)) / (0.11, 0.38, 0.18), axis=-1) < 1
    tissue[ventricles] = 1
    places = {**_MARKS, **({"lesion": LESION_AT} if lesion else {})}
    for name, (centre, size) in places.items():
        tissue[np.linalg.norm(unit - centre, axis=-1) < size] = 1 + TISSUES.index(name)
    tissue[(radius > 0.94) & (tissue == 2)] = 1
    tissue[radius > 1] = 0
    return tissue


def points_of(grid: Grid) -> NDArray[np.float64]:
    """RAS mm of every voxel, shape (i, j, k, 3)."""
    return grid.affine.apply(np.moveaxis(np.indices(grid.shape), 0, -1))


def phantom(
    shape: Sequence[int] = (36, 44, 32),
    affine: Affine | None = None,
    contrast: str = "T1w",
    *,
    lesion: bool = False,
    scale: float = 400.0,
    noise: float = 0.0,
    seed: int = 0,
    name: str | None = None,
    dtype: type = np.float32,
) -> Volume:
    """One skull-stripped scan of the phantom brain: 0 outside, `scale` x tissue intensity inside.

    `noise` is a share of the intensity, from a generator seeded by `seed` and the contrast. Another seed is
    another patient: all contrasts of one differ from those of the others in the same places.
    """
    grid = Grid(tuple(shape), affine if affine is not None else affine_of(shape))
    points = points_of(grid)
    look = np.array([0.0, *INTENSITY[contrast]])
    image = look[tissue_at(points, lesion=lesion)]
    unit = points / RADII_MM
    image *= 1 + 0.05 * unit[..., 0] - 0.04 * unit[..., 1] + 0.03 * unit[..., 2]  # no two sides alike
    if seed:
        image *= _own_look(unit, seed)
    if noise:
        rng = np.random.default_rng([seed, *contrast.encode()])
        image *= np.clip(1 + noise * rng.standard_normal(grid.shape), 0.2, 3)
    array = (image * scale).astype(dtype)
    return Volume(array, grid, name or contrast, Source(), contrast=contrast)


def _own_look(unit: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """What makes a patient unlike others: waves of intensity, each about a fifth of the brain long."""
    rng = np.random.default_rng(seed)
    waves = [np.cos(unit @ rng.normal(0, 7, 3) + rng.uniform(0, 2 * np.pi)) for _ in range(8)]
    return np.clip(1 + 0.1 * np.sum(waves, axis=0), 0.5, 1.5)


def lesion_labels(shape: Sequence[int] = (36, 44, 32), affine: Affine | None = None) -> LabelVolume:
    """The phantom's lesion as a label map: 2 around, 1 in its core."""
    grid = Grid(tuple(shape), affine if affine is not None else affine_of(shape))
    centre, size = LESION_AT
    apart = np.linalg.norm(points_of(grid) / RADII_MM - centre, axis=-1)
    array = np.where(apart < size / 2, 1, np.where(apart < size, 2, 0)).astype(np.uint8)
    return LabelVolume(array, grid, "lesions", labels={1: "core", 2: "rim"})


def brain_study(
    contrasts: Sequence[str] = ("T1w", "T1ce", "T2w", "FLAIR"),
    *,
    shape: Sequence[int] = (36, 44, 32),
    spacing: Sequence[float] = (4.0, 4.0, 4.0),
    codes: str = "LPS",
    tilt_deg: Sequence[float] = (0.0, 0.0, 0.0),
    active: Sequence[str] | None = None,
    lesion: bool = False,
    scale: float = 400.0,
    noise: float = 0.02,
    seed: int = 0,
    name: str = "phantom",
) -> Study:
    """A skull-stripped patient on one grid, all its contrasts switched on unless `active` says which."""
    affine = affine_of(shape, spacing, codes, tilt_deg)
    scans = [
        phantom(shape, affine, contrast, lesion=lesion, scale=scale, noise=noise, seed=seed)
        for contrast in contrasts
    ]
    mask = BrainMask(tissue_at(points_of(scans[0].grid)) > 0, "skull-stripped data")
    return Study(
        name=name,
        reference=contrasts[0],
        members={scan.contrast: Member(scan, scan) for scan in scans},
        active=frozenset(contrasts if active is None else active),
        mask=mask,
        lesions=lesion_labels(shape, affine) if lesion else None,
    )


def nifti_file(
    path: Path,
    array: NDArray[np.generic],
    affine: Affine | ArrayLike | None = None,
    *,
    dtype: type | str | None = None,
    slope: float | None = None,
    inter: float = 0.0,
    big_endian: bool = False,
    qform: int = 1,
    sform: int = 1,
    qform_affine: ArrayLike | None = None,
    descrip: str = "",
    units: str = "mm",
) -> Path:
    """Write a NIfTI file with nibabel, every trap of the header on request.

    `array` holds the *stored* numbers; with `slope` a reader must see ``stored * slope + inter``.
    `qform` and `sform` are the codes; 0 leaves that form out. `qform_affine` makes the two disagree.
    """
    matrix = np.eye(4) if affine is None else np.asarray(getattr(affine, "matrix", affine), dtype=float)
    header = nib.Nifti1Header(endianness=">" if big_endian else "<")
    stored = np.asarray(array, dtype=dtype if dtype is not None else array.dtype)
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    image = nib.Nifti1Image(stored, matrix, header)
    image.set_qform(matrix if qform_affine is None else np.asarray(qform_affine), code=qform)
    image.set_sform(matrix if sform else None, code=sform)
    image.header.set_xyzt_units(units, "unknown")
    image.header["descrip"] = descrip.encode()
    header = image.header  # written by hand: nibabel's own writer would recompute the slope
    header["scl_slope"], header["scl_inter"] = (np.nan, np.nan) if slope is None else (slope, inter)
    header["vox_offset"] = 352
    body = stored.astype(header.get_data_dtype()).tobytes("F")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = header.binaryblock + bytes(4) + body
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.name.endswith(".gz") else content)
    return path


def save(volume: Volume | LabelVolume, path: Path, **header: object) -> Path:
    """Write a phantom with its own grid (see :func:`nifti_file`)."""
    return nifti_file(path, volume.array, volume.grid.affine, **header)


def patient_folder(folder: Path, study: Study, *, naming: str = "{name}_{contrast}.nii.gz") -> Path:
    """Write every contrast of a study, and its lesions as ``NAME_seg``, into a folder."""
    for contrast, member in study.members.items():
        save(member.native, folder / naming.format(name=study.name, contrast=contrast))
    if study.lesions is not None:
        save(study.lesions, folder / naming.format(name=study.name, contrast="seg"))
    return folder
