"""Files that are wrong in one way each: damaged, blank, misnamed, or not what they seem.

Every function writes into a folder and returns the path to give to the program.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from phantoms import affine_of, brain_study, nifti_file, patient_folder, phantom, save

SHAPE = (12, 14, 10)
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SROW_X, MAGIC = 40, 70, 76, 108, 280, 344  # offsets in a NIfTI-1 header


def scan(folder: Path, name: str = "T1w.nii.gz", contrast: str = "T1w") -> Path:
    """A good scan."""
    return save(phantom(SHAPE, affine_of(SHAPE, (12, 13, 13)), contrast), folder / name)


def content(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def voxels(folder: Path, array: NDArray[np.generic], name: str = "T1w.nii.gz", **header: object) -> Path:
    """A NIfTI file with any voxels."""
    return nifti_file(folder / name, array, affine_of(SHAPE, (12, 13, 13)), **header)


def noise(shape: tuple[int, ...] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(10, 900, shape).astype(np.float32)


def with_values(folder: Path, value: float, share: float) -> Path:
    """A scan with `share` of its voxels set to `value`."""
    array = noise()
    array.flat[: round(share * array.size)] = value
    return voxels(folder, array)


def cut(folder: Path, name: str, share: float = 0.6) -> Path:
    """A file whose end is missing."""
    whole = save(phantom(SHAPE, affine_of(SHAPE, (12, 13, 13))), folder / "whole.nii.gz").read_bytes()
    (folder / "whole.nii.gz").unlink()
    data = whole if name.endswith(".gz") else gzip.decompress(whole)
    return content(folder / name, data[: int(share * len(data))])


def flipped_bytes(folder: Path) -> Path:
    """A compressed file damaged in its middle."""
    path = scan(folder)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(byte ^ 0xFF for byte in data[middle : middle + 40])
    return content(path, bytes(data))


def patched(folder: Path, offset: int, data: bytes) -> Path:
    """An uncompressed NIfTI file with some bytes of its header replaced."""
    path = scan(folder, "T1w.nii")
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(data)] = data
    return content(path, bytes(whole))


def dims(*sizes: int) -> bytes:
    return struct.pack(f"<{1 + len(sizes)}h", len(sizes), *sizes)


def colour(folder: Path) -> Path:
    rgb = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"] = noise().astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(rgb, np.eye(4)).to_filename(folder / "T1w.nii.gz")
    return folder / "T1w.nii.gz"


def flattened(folder: Path) -> Path:
    """A scan whose sform points two axes the same way."""
    rows = np.array([[2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0]], dtype="<f4")
    return patched(folder, SROW_X, rows.tobytes())


def without_numbers(folder: Path) -> Path:
    """A scan whose sform holds NaN."""
    return patched(folder, SROW_X, np.full(12, np.nan, dtype="<f4").tobytes())


def mgz(folder: Path, share: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "T1w.mgz"
    nib.MGHImage(noise(), np.eye(4)).to_filename(path)
    return content(path, path.read_bytes()[: int(share * path.stat().st_size)])


def itk(folder: Path, name: str, array: NDArray[np.generic], *, vector: bool = False) -> Path:
    """A file written by ITK: .nrrd, .mha, .mhd with .raw, .nhdr with .raw."""
    import SimpleITK as sitk  # noqa: N813

    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(folder / name), useCompression=False)
    return folder / name


def cut_itk(folder: Path, name: str) -> Path:
    path = itk(folder, name, noise())
    return content(path, path.read_bytes()[: path.stat().st_size // 2])


def colour_itk(folder: Path, name: str) -> Path:
    return itk(folder, name, noise((*SHAPE, 3)), vector=True)


def without_data_file(folder: Path, name: str) -> Path:
    path = itk(folder, name, noise())
    path.with_suffix(".raw").unlink()
    return path


def in_metres(folder: Path) -> Path:
    """A scan whose header counts in metres."""
    matrix = np.array(affine_of(SHAPE, (12, 13, 13)).matrix)
    matrix[:3] /= 1000
    return nifti_file(folder / "T1w.nii.gz", noise(), matrix, units="meter")


def forms_apart(folder: Path) -> Path:
    """A scan whose qform and sform put it in two places."""
    matrix = np.array(affine_of(SHAPE, (12, 13, 13)).matrix)
    elsewhere = matrix.copy()
    elsewhere[:3, 3] += 5
    return nifti_file(folder / "T1w.nii.gz", noise(), matrix, qform_affine=elsewhere)


def scan_of_parts(folder: Path) -> Path:
    """A sound scan whose values are no whole numbers."""
    return voxels(folder, noise() + np.float32(0.25), "T1w.nii.gz")


def whole_numbered_scan(folder: Path) -> Path:
    """A sound scan of whole numbers."""
    return voxels(folder, noise().astype(np.int16), "head.nii.gz")


def labels(folder: Path, name: str = "T1w.nii.gz", side: int = 4) -> Path:
    """A label map: a block of 1 and a block of 2."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[2 : 2 + side, 2 : 2 + side, 2 : 2 + side] = 1
    array[2 + side : 4 + side, 2 : 2 + side, 2 : 2 + side] = 2
    return voxels(folder, array, name)


def patient(folder: Path, *contrasts: str) -> Path:
    """A small skull-stripped patient, one file per contrast; T1w, T2w and FLAIR where none is named."""
    return patient_folder(folder / "patient", brain_study(contrasts or ("T1w", "T2w", "FLAIR")))


def far_away(folder: Path) -> Path:
    """A patient whose T2w lies a kilometre from its T1w."""
    where = patient(folder, "T1w", "T2w")
    whole = phantom(contrast="T2w")
    matrix = np.array(whole.grid.affine.matrix)
    matrix[0, 3] += 1e6
    nifti_file(where / "phantom_T2w.nii.gz", whole.array, matrix)
    return where


def scan_far_away(folder: Path) -> Path:
    """A sound scan a kilometre from where any other is."""
    matrix = np.array(affine_of(SHAPE, (12, 13, 13)).matrix)
    matrix[0, 3] += 1e6
    return nifti_file(folder / "far_FLAIR.nii.gz", noise(), matrix)


def empty_mask(folder: Path) -> Path:
    return voxels(folder, np.zeros(SHAPE, np.uint8), "brainmask.nii.gz")


def mask_far_away(folder: Path) -> Path:
    """A brain mask a kilometre from the patient."""
    matrix = np.array(affine_of(SHAPE, (12, 13, 13)).matrix)
    matrix[0, 3] += 1e6
    return nifti_file(folder / "brainmask.nii.gz", np.ones(SHAPE, np.uint8), matrix)


def blank_inside(folder: Path) -> Path:
    """A scan that is zero wherever :func:`labels` are, and bright elsewhere."""
    array = noise()
    array[1:9, 1:7, 1:7] = 0
    return voxels(folder, array, "T1w.nii.gz")
