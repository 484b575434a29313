"""Write a Volume as NIfTI: its own grid and header, whole or not at all, synthetic ones always marked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError, OutputError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Volume
from napari_mrsynth.imaging.known_voxels import known_again
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.checks import as_labels
from napari_mrsynth.io.nifti import decode_description, spatial_unit_in_mm
from napari_mrsynth.io.provenance import (
    description,
    recognise,
    refuse_foreign_sidecar,
    remove_stale_sidecar,
    twins_of,
    write_sidecar,
)

_GEOMETRY = (
    *(
        "qform_code",
        "sform_code",
        "quatern_b",
        "quatern_c",
        "quatern_d",
        "qoffset_x",
        "qoffset_y",
        "qoffset_z",
    ),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
_ACQUISITION = (
    *("descrip", "aux_file", "intent_code", "intent_p1", "intent_p2", "intent_p3", "intent_name"),
    *(
        "cal_max",
        "cal_min",
        "slice_code",
        "slice_start",
        "slice_end",
        "slice_duration",
        "toffset",
        "dim_info",
    ),
)
_SCANNER_CODE = 1


def write_volume(
    path: str | Path, volume: Volume | LabelVolume, *, provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write a scan or a label map as NIfTI-1.

    The file appears whole or not at all, and the same volume gives the same bytes. Where the volume still
    lies on the grid of the NIfTI header it carries, qform, sform, their codes and the units are kept as they
    were; elsewhere both are made from its affine. Scans keep their dtype (a scan that was stored scaled is
    written as the float32 it was read as), labels get the smallest integer type, synthetic scans float32.

    A volume whose source is synthetic, or that comes with a `provenance`, is always marked: the header's text
    begins with ``SYNTHETIC`` and a JSON sidecar says how it was made. So is one whose voxels a model made in
    this process, although it lost its source (:mod:`napari_mrsynth.imaging.known_voxels`).

    Parameters
    ----------
    path : path-like
        Ending in ``.nii`` or ``.nii.gz``; ``.nii.gz`` is added to a name without extension. Missing folders
        are made.
    volume : Volume or LabelVolume
        Native voxels (i, j, k).
    provenance : mapping, optional
        How the voxels were made, added to what the volume's source says.

    Returns
    -------
    Path
        The image that was written.

    Raises
    ------
    OutputError
        If the extension is another one, a synthetic volume would replace an acquired scan or its sidecar, or
        share the name of one but for the extension, or the disk refuses.
    """
    target = _target(Path(path).expanduser())
    volume = known_again(volume, volume.display)
    made = _provenance(volume, provenance)
    what = getattr(volume, "contrast", None) or volume.name or "volume"
    image = _nifti(volume, None if made is None else description(what, made))
    if made is None:
        replaced = target.exists()
        _save(image, target)
        remove_stale_sidecar(target, replaced=replaced)
        return target
    _refuse_acquired(target)
    refuse_foreign_sidecar(target)
    with replacing(target) as temporary:
        image.to_filename(temporary)
        write_sidecar(target, what, made)
    return target


def _save(image: Any, target: Path) -> None:
    with replacing(target) as temporary:
        image.to_filename(temporary)


def _target(path: Path) -> Path:
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return path
    if path.suffix == "":
        return path.with_name(f"{path.name}.nii.gz")
    raise OutputError(
        f"“{path.name}” ends in {path.suffix}; volumes are written as NIfTI.",
        hint="End the name in .nii.gz or .nii.",
    )


def _provenance(
    volume: Volume | LabelVolume, provenance: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if volume.source.synthetic is None and provenance is None:
        return None
    return {**(volume.source.synthetic or {}), **(provenance or {})}


def _refuse_acquired(target: Path) -> None:
    """Refuse to put a synthetic scan in the place of a file that is not one, or to share its sidecar."""
    if target.exists() and not _is_synthetic(target):
        raise OutputError(
            f"“{target}” is an acquired scan and would be replaced by a synthetic one.",
            hint="Choose another name or folder.",
        )
    acquired = [twin for twin in twins_of(target) if not _is_synthetic(twin)]
    if acquired:
        raise OutputError(
            f"“{acquired[0]}” is an acquired scan, and “{target.name}” would have the same JSON file:"
            " it would say that both are synthetic.",
            hint="Choose another name or folder.",
        )


def _is_synthetic(path: Path) -> bool:
    try:
        text = decode_description(path)
    except FormatError:
        text = ""
    return recognise(path, text) is not None


def _nifti(volume: Volume | LabelVolume, synthetic_text: str | None) -> Any:
    """Build the nibabel image; `synthetic_text` marks it and leaves every other free field empty."""
    import nibabel as nib

    if isinstance(volume, LabelVolume):
        array = as_labels(volume.array, volume.name)
    elif synthetic_text is not None:
        array = volume.array.astype(np.float32, copy=False)
    else:
        array = _storable(volume.array)
    header = nib.Nifti1Header()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    old = volume.source.header
    old = old if isinstance(old, nib.Nifti1Header) else None
    if old is not None and _lies_on(volume.grid, old):
        _copy(old, header, _GEOMETRY)
        header["pixdim"][:4] = old["pixdim"][:4]
    else:
        _set_forms(header, volume.grid.affine, _space_code(old))
    if synthetic_text is not None:
        header["descrip"] = synthetic_text.encode("ascii")
    elif old is not None:
        _copy(old, header, _ACQUISITION)
    return nib.Nifti1Image(array, None, header, dtype=array.dtype)


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in a dtype that NIfTI readers know: 64-bit integers shrink where their values fit."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        for dtype in (np.int32, np.uint32):
            if np.iinfo(dtype).min <= array.min() and array.max() <= np.iinfo(dtype).max:
                return array.astype(dtype)
    return array


def _lies_on(grid: Grid, header: Any) -> bool:
    """Whether the grid is still the header's own."""
    shape = tuple(int(n) for n in header.get_data_shape()[:3])
    if shape != grid.shape:
        return False
    matrix = np.array(header.get_best_affine(), dtype=np.float64)
    matrix[:3] *= spatial_unit_in_mm(header)
    i, j, k = shape
    return grid.same_as(Grid((i, j, k), Affine(matrix)), tolerance_mm=1e-3)


def _space_code(header: Any) -> int:
    """Which space the volume is in: what its header said, else the scanner's."""
    if header is None:
        return _SCANNER_CODE
    return int(header["sform_code"]) or int(header["qform_code"]) or _SCANNER_CODE


def _set_forms(header: Any, affine: Affine, code: int) -> None:
    """Write the affine as sform, and as qform too where no shear forbids it."""
    header.set_sform(affine.matrix, code=code)
    header.set_qform(affine.matrix, code=0 if affine.is_sheared else code, strip_shears=True)
    header.set_xyzt_units("mm", "unknown")


def _copy(old: Any, new: Any, fields: tuple[str, ...]) -> None:
    for name in fields:
        new[name] = old[name]
