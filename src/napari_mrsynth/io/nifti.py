"""Decode NIfTI and FreeSurfer MGH files with nibabel, and say what their headers leave open."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.io.decoded import MAX_VOXELS, Decoded, refusing_damage

MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
PLAUSIBLE_MM = (0.01, 100.0)
FORMS_APART_MM = 0.1
_CHUNK_BYTES = 2**20
_MGH_GOOD_RAS = 28  # offset of the flag that says whether the header has an orientation


def decode_nifti(path: Path) -> Decoded:
    """Decode a ``.nii`` or ``.nii.gz`` file (NIfTI-1 or -2, either byte order).

    The sform is used where its code is positive, else the qform, else the voxel sizes alone (with a note),
    as nibabel does; a note says where the two forms disagree by more than 0.1 mm.

    Raises
    ------
    FormatError
        If the file is damaged, not NIfTI, or CIFTI.
    """
    import nibabel as nib

    with refusing_damage(path, "NIfTI"):
        _require_whole(path)
        image = nib.load(path, mmap=False)
        if not isinstance(image, nib.Nifti1Image):
            raise FormatError(
                f"“{path.name}” is a {type(image).__name__.removesuffix('Image')} file, not a volume.",
                hint="Open a NIfTI volume.",
            )
        header = image.header.copy()
        array = _voxels(image, path)
        factor, unit_notes = _mm_per_unit(header)
        matrix = np.array(header.get_best_affine(), dtype=np.float64)
        matrix[:3] *= factor
        notes = (*unit_notes, *_form_notes(header, array.shape))
        description = _text(header["descrip"])
    return Decoded(array, matrix, "nifti", header, description, notes)


def decode_mgh(path: Path) -> Decoded:
    """Decode a FreeSurfer ``.mgz`` or ``.mgh`` file.

    Raises
    ------
    FormatError
        If the file is damaged or not MGH.
    """
    import nibabel as nib
    from nibabel.openers import ImageOpener

    with refusing_damage(path, "MGH"):
        _require_whole(path)
        image = nib.load(path, mmap=False)
        array = _voxels(image, path)
        matrix = np.array(image.affine, dtype=np.float64)
        with ImageOpener(path) as file:  # nibabel fills the orientation in and forgets that it did
            good = file.read(_MGH_GOOD_RAS + 2)[_MGH_GOOD_RAS:] != bytes(2)
    notes = () if good else ("the header gives no orientation: taken as coronal, as FreeSurfer does",)
    return Decoded(array, matrix, "mgz", notes=notes)


def decode_description(path: Path) -> str:
    """Return the free text of a NIfTI file's header without reading its voxels.

    Raises
    ------
    FormatError
        If the file is not readable NIfTI.
    """
    import nibabel as nib

    with refusing_damage(path, "NIfTI"):
        return _text(nib.load(path).header["descrip"])


def spatial_unit_in_mm(header: Any) -> float:
    """Return how many mm one unit of this NIfTI header's affine is: 1 unless metres or microns are meant."""
    return _mm_per_unit(header)[0]


def _require_whole(path: Path) -> None:
    """Read a compressed file to its end, where gzip's checksum is: nibabel stops at the last voxel."""
    if path.suffix.lower() in (".gz", ".mgz"):
        with gzip.open(path) as stream:
            while stream.read(_CHUNK_BYTES):
                pass


def _text(field: Any) -> str:
    return bytes(field.item()).rstrip(b"\0 ").decode("latin-1")


def _voxels(image: Any, path: Path) -> NDArray[Any]:
    """Voxels with the scaling applied where there is one (float), else exactly as stored."""
    count = int(np.prod(image.shape, dtype=np.float64))
    if count > MAX_VOXELS:
        raise FormatError(
            f"“{path.name}” says it has {' x '.join(map(str, image.shape))} voxels, more than any scan.",
            hint="Its header is damaged: export the scan again.",
        )
    proxy = image.dataobj
    if (getattr(proxy, "slope", 1), getattr(proxy, "inter", 0)) == (1, 0):
        return np.asarray(proxy.get_unscaled())
    return np.asarray(proxy, dtype=np.float32)


def _mm_per_unit(header: Any) -> tuple[float, tuple[str, ...]]:
    unit = header.get_xyzt_units()[0]
    factor = MM_PER_UNIT.get(unit, 1.0)
    if factor == 1.0:
        return 1.0, ()
    sizes = np.linalg.norm(header.get_best_affine()[:3, :3], axis=0) * factor
    if (sizes < PLAUSIBLE_MM[0]).any() or (sizes > PLAUSIBLE_MM[1]).any():
        return 1.0, (f"the header's unit is {unit}, which cannot be: the numbers are taken as mm",)
    return factor, (f"the header's unit is {unit}: converted to mm",)


def _form_notes(header: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Say where qform and sform disagree, or where there is neither."""
    from nibabel.spatialimages import HeaderDataError

    qform_code, sform_code = int(header["qform_code"]), int(header["sform_code"])
    if qform_code <= 0 and sform_code <= 0:
        return ("the header gives no orientation: left and right may be swapped",)
    if qform_code <= 0 or sform_code <= 0:
        return ()
    try:
        qform = header.get_qform()
    except (HeaderDataError, ValueError):
        return ("the qform is damaged: the sform is used",)
    apart = _corners_apart(header.get_sform(), qform, shape[:3])
    if apart <= FORMS_APART_MM:
        return ()
    return (f"qform and sform differ by up to {apart:.1f} mm: the sform is used",)


def _corners_apart(one: FloatArray, other: FloatArray, shape: tuple[int, ...]) -> float:
    """Largest distance in mm between the places two affines give a corner voxel."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array([*shape, 1, 1, 1][:3]) - 1)
    points = np.c_[corners, np.ones(8)]
    apart = (points @ (np.asarray(one) - np.asarray(other)).T)[:, :3]
    return float(np.linalg.norm(apart, axis=1).max())
