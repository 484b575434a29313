"""Decode NRRD and MetaImage files with SimpleITK, from ITK's LPS into RAS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_mrsynth.errors import FormatError
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.io.decoded import MAX_VOXELS, Decoded, refusing_damage

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def decode_itk(path: Path) -> Decoded:
    """Decode a ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd`` file.

    Raises
    ------
    FormatError
        If the file (or the data file a header names) is damaged, missing or a colour image.
    """
    import SimpleITK as sitk  # noqa: N813

    name = "nrrd" if path.suffix.lower() in (".nrrd", ".nhdr") else "mha"
    with refusing_damage(path, name.upper()):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        if int(np.prod(reader.GetSize(), dtype=np.float64)) > MAX_VOXELS:
            raise FormatError(
                f"“{path.name}” says it has {' x '.join(map(str, reader.GetSize()))} voxels.",
                hint="Its header is damaged: export the scan again.",
            )
        image = reader.Execute()
    components = image.GetNumberOfComponentsPerPixel()
    if components > 1:
        raise FormatError(
            f"“{path.name}” has {components} numbers per voxel (colour or vectors), not one.",
            hint="Open the scan it was made from, or save one component.",
        )
    array = sitk.GetArrayFromImage(image).T
    return Decoded(array, _matrix(image.GetDirection(), image.GetSpacing(), image.GetOrigin()), name)


def _matrix(
    direction: tuple[float, ...], spacing: tuple[float, ...], origin: tuple[float, ...]
) -> FloatArray:
    """RAS affine of an ITK image of two or more axes; the third axis of a single slice is made up."""
    axes = len(spacing)
    used = min(axes, 3)
    matrix = np.eye(4)
    cosines = np.reshape(direction, (axes, axes))[:used, :used]
    matrix[:used, :used] = cosines * np.asarray(spacing[:used])
    matrix[:used, 3] = origin[:used]
    ras: FloatArray = LPS_TO_RAS @ matrix
    return ras
