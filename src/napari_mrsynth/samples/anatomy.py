"""The anatomy behind the digital brain: the ICBM 152 template that nilearn ships, as tissue shares per voxel.

The template is the average of 152 real, aligned T1-weighted scans with the tissue probabilities that go with
it (Fonov et al. 2011, symmetric version), 1 mm voxels. Everything here works on the voxels of the brain only,
as vectors of length n, in the order of the mask.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import SampleError
from napari_mrsynth.imaging import Affine, Grid
from napari_mrsynth.samples.relaxation import FLUID, GREY, WHITE, FloatArray

_FILE = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
_T1W = {"white": 0.875, "grey": 0.645}  # medians where the template's tissue probability is above 0.95
_SLOPE = (_T1W["grey"] - _T1W["white"]) / math.log(GREY.t1_ms / WHITE.t1_ms)

# Brain iron shortens T2. Weight: iron above cortex (Hallgren & Sourander 1958: pallidum 21.3, red nucleus
# 19.5, substantia nigra 18.5, putamen 13.3, cortex 2.9 mg/100 g), 1 for the pallidum. Place and half-axes in
# MNI mm (right side; mirrored to the left), turned about S by degrees. True: only as far as a voxel is grey.
_NUCLEI: tuple[tuple[float, tuple[float, float, float], tuple[float, float, float], float, bool], ...] = (
    (1.00, (19.5, -4.0, -1.0), (3.6, 9.0, 6.0), 24.0, False),  # pallidum
    (0.90, (5.0, -20.5, -8.5), (3.0, 3.5, 4.0), 0.0, False),  # red nucleus
    (0.85, (10.0, -17.5, -11.5), (3.0, 7.0, 3.0), 35.0, False),  # substantia nigra
    (0.57, (26.5, 2.0, 0.0), (5.5, 15.0, 11.0), 14.0, True),  # putamen
)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What fills every voxel of the brain.

    Attributes
    ----------
    grid : Grid
        The template's: 197 x 233 x 189 voxels of 1 mm, RAS, MNI space.
    mask : ndarray of bool, shape (i, j, k)
        The brain, n voxels.
    points_mm : ndarray of float32, shape (n, 3)
        Where those voxels are, RAS mm in MNI space.
    t1w : ndarray of float32, shape (n,)
        The template's T1-weighted intensity, 0 to 1.
    white, grey, fluid : ndarray of float32, shape (n,)
        Shares of the voxel, adding up to 1.
    texture : ndarray of float32, shape (n,)
        How much longer T1 is than the shares say, as a natural logarithm: what the template's own
        intensity tells about the tissue there.
    iron : ndarray of float32, shape (n,)
        Brain iron above that of cortex, 1 for the pallidum.
    """

    grid: Grid
    mask: NDArray[np.bool_]
    points_mm: FloatArray
    t1w: FloatArray
    white: FloatArray
    grey: FloatArray
    fluid: FloatArray
    texture: FloatArray
    iron: FloatArray


def t1w_of(t1_ms: float) -> float:
    """Return the template's T1-weighted intensity (0 to 1) of a tissue with this T1 (ms).

    The template's white matter, grey matter and fluid lie on one line over the logarithm of T1 (it misses
    the fluid, which it was not drawn through, by 0.02), so any other tissue is read off that line.
    """
    return _T1W["white"] + _SLOPE * math.log(t1_ms / WHITE.t1_ms)


def load_anatomy() -> Anatomy:
    """Read the template and work out what fills each voxel (about two seconds; no network).

    Raises
    ------
    SampleError
        If nilearn, which brings the template, is not installed or brings another one.
    """
    import nibabel

    images = {name: nibabel.load(_template(name)) for name in ("t1", "gm", "wm")}
    affine = Affine(images["t1"].affine)
    arrays = {name: np.asarray(image.dataobj, dtype=np.float32) for name, image in images.items()}
    mask = arrays["t1"] > 0
    t1w, grey, white = (arrays[name][mask] / arrays[name].max() for name in ("t1", "gm", "wm"))
    fluid = np.clip(1 - grey - white, 0, 1)
    # The averaged probabilities blur the sulci away, the averaged scan less so: where a voxel without white
    # matter is darker than grey matter, it is partly fluid.
    fluid_t1w = t1w_of(FLUID.t1_ms)
    darker = np.clip((_T1W["grey"] - t1w) / (_T1W["grey"] - fluid_t1w), 0, 1)
    fluid = np.maximum(fluid, darker * (1 - white))
    solid = np.maximum(grey + white, np.float32(1e-6))
    grey, white = (share / solid * (1 - fluid) for share in (grey, white))
    expected = white * _T1W["white"] + grey * _T1W["grey"] + fluid * fluid_t1w
    texture = np.clip((t1w - expected) / _SLOPE, -0.3, 0.3)
    i, j, k = mask.shape
    grid = Grid((i, j, k), affine)
    points_mm = grid.affine.apply(np.argwhere(mask)).astype(np.float32)
    return Anatomy(grid, mask, points_mm, t1w, white, grey, fluid, texture, _iron(points_mm, grey))


def _iron(points_mm: FloatArray, grey: FloatArray) -> FloatArray:
    iron = np.zeros(len(points_mm), dtype=np.float32)
    mirrored = np.abs(points_mm[:, 0])  # the template is symmetric
    near = np.flatnonzero((mirrored < 40) & (np.abs(points_mm[:, 1]) < 40) & (np.abs(points_mm[:, 2]) < 25))
    points = np.column_stack([mirrored[near], points_mm[near, 1:]])
    for weight, centre, radii, degrees, only_grey in _NUCLEI:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        x, y, z = (points - centre).T
        turned = np.column_stack([cosine * x + sine * y, -sine * x + cosine * y, z]) / radii
        inside = np.clip((1.4 - np.linalg.norm(turned, axis=1)) / 0.8, 0, 1)  # soft edge
        there = weight * inside * (np.minimum(1, 1.5 * grey[near]) if only_grey else 1)
        iron[near] = np.maximum(iron[near], there)
    return iron


def _template(name: str) -> Path:
    spec = importlib.util.find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        raise SampleError(
            "The digital brain needs nilearn, which is not installed.",
            hint="Install it with: pip install nilearn",
        )
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / _FILE.format(name)
    if not path.is_file():
        raise SampleError(
            f"This nilearn does not bring the template {path.name}.",
            hint="Install a nilearn from 0.11 to 0.14: pip install 'nilearn>=0.11,<0.15'",
        )
    return path
