"""Single files that are damaged, blank, misnamed or of the wrong kind."""
# ruff: noqa: E501  (a table: one bad input a line)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bad import scans
from bad.row import Mended, Refused, study
from bad.scans import SHAPE, content, noise, voxels


def called(name: str, data: bytes) -> Callable[[Path], Path]:
    """Write these bytes under this name."""
    return lambda folder: content(folder / name, data)


def renamed(good: str, name: str) -> Callable[[Path], Path]:
    """Write a sound scan, then give its bytes another name."""

    def make(folder: Path) -> Path:
        path = scans.scan(folder, good)
        return path.rename(folder / name)

    return make


def of(array: NDArray[np.generic], name: str = "T1w.nii.gz", **header: object) -> Callable[[Path], Path]:
    """Write these voxels as NIfTI."""
    return lambda folder: voxels(folder, array, name, **header)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"

REFUSED = [
    Refused("a missing file", lambda f: ["study", f / "absent.nii"], "FormatError", ("absent.nii",), "spelling"),
    Refused("an empty file", study(called("T1w.nii.gz", b"")), "FormatError", ("T1w.nii.gz", "0 bytes"), "again"),
    Refused("a cut .nii.gz", study(scans.cut, "T1w.nii.gz"), "FormatError", ("T1w.nii.gz",), "cut short"),
    Refused("a cut .nii", study(scans.cut, "T1w.nii"), "FormatError", ("T1w.nii",), "cut short"),
    Refused("half a header", study(scans.cut, "T1w.nii", 0.02), "FormatError", ("T1w.nii",), "cut short"),
    Refused("flipped bytes", study(scans.flipped_bytes), "FormatError", ("T1w.nii.gz",), "damaged"),
    Refused("a letter", study(called("T1w.nii", b"Dear all, " * 60)), "FormatError", ("T1w.nii",), "another format"),
    Refused("a web page", study(called("T1w.nii.gz", b"<html>404</html>")), "FormatError", ("T1w.nii.gz",), "web page"),
    Refused("a Git LFS pointer", study(called("T1w.nii.gz", LFS)), "FormatError", ("T1w.nii.gz",), "git lfs pull"),
    Refused("gzip without .gz", study(renamed("a.nii.gz", "T1w.nii")), "FormatError", ("T1w.nii",), "add “.gz”"),
    Refused(".gz without gzip", study(renamed("a.nii", "T1w.nii.gz")), "FormatError", ("T1w.nii.gz",), "take “.gz” off"),
    Refused("a photograph", study(called("T1w.png", b"\x89PNG\r\n")), "FormatError", ("T1w.png",), ".nii.gz"),
    Refused("no extension", study(called("T1w", b"some bytes")), "FormatError", ("T1w",), ".nii.gz"),
    Refused("Analyze, half of two", study(renamed("a.nii", "T1w.img")), "FormatError", ("T1w.img",), ".nii.gz"),
    Refused("unknown magic", study(scans.patched, scans.MAGIC, b"what"), "FormatError", ("T1w.nii",), "damaged"),
    Refused("unknown data type", study(scans.patched, scans.DATATYPE, b"\x39\x30"), "FormatError", ("T1w.nii",), "damaged"),
    Refused("absurd size", study(scans.patched, scans.DIM, scans.dims(32000, 32000, 32000)), "FormatError", ("32000",), "damaged"),
    Refused("negative size", study(scans.patched, scans.DIM, scans.dims(-12, 14, 10)), "FormatError", ("T1w.nii",), "damaged"),
    Refused("size zero", study(scans.patched, scans.DIM, scans.dims(0, 14, 10)), "FormatError", ("T1w.nii",), "3D scan"),
    Refused("a series", study(of(noise((*SHAPE, 3)))), "FormatError", ("3 images", "12 x 14 x 10 x 3"), "the frame you mean"),
    Refused("vectors", study(of(noise((*SHAPE, 1, 2)))), "FormatError", ("2 images",), "file of its own"),
    Refused("one slice", study(of(noise((12, 14)))), "FormatError", ("12 x 14",), "3D scan"),
    Refused("colour", study(scans.colour), "FormatError", ("T1w.nii.gz", "colour"), "scan"),
    Refused("complex numbers", study(of(noise().astype(np.complex64))), "FormatError", ("complex",), "magnitude"),
    Refused("NaN in a tenth", study(scans.with_values, np.nan, 0.1), "FormatError", ("NaN", "10 %"), "Replace"),
    Refused("infinity everywhere", study(scans.with_values, np.inf, 1.0), "FormatError", ("infinity", "100 %"), "Replace"),
    Refused("all zero", study(of(np.zeros(SHAPE, np.int16))), "FormatError", ("every voxel is 0",), "export"),
    Refused("all the same", study(of(np.full(SHAPE, 7.5, np.float32))), "FormatError", ("every voxel is 7.5",), "export"),
    Refused("two axes in one direction", study(scans.flattened), "GridError", ("T1w.nii", "flattens"), "header"),
    Refused("an affine of NaN", study(scans.without_numbers), "GridError", ("T1w.nii", "NaN"), "header"),
    Refused("voxels of no size", study(scans.patched, scans.SROW_X, bytes(48)), "GridError", ("T1w.nii", "0.0"), "voxel size is zero"),
    Refused("a cut .mgz", study(scans.mgz, 0.5), "FormatError", ("T1w.mgz",), "cut short"),
    Refused("a cut .nrrd", study(scans.cut_itk, "T1w.nrrd"), "FormatError", ("T1w.nrrd",), "cut short"),
    Refused("a cut .mha", study(scans.cut_itk, "T1w.mha"), "FormatError", ("T1w.mha",), "cut short"),
    Refused("text as .nrrd", study(called("T1w.nrrd", b"hello")), "FormatError", ("T1w.nrrd",), "another format"),
    Refused(".mhd without its .raw", study(scans.without_data_file, "T1w.mhd"), "FormatError", ("T1w.mhd",), "damaged"),
    Refused(".nhdr without its .raw", study(scans.without_data_file, "T1w.nhdr"), "FormatError", ("T1w.nhdr",), "damaged"),
    Refused("a colour .mha", study(scans.colour_itk, "T1w.mha"), "FormatError", ("3 numbers per voxel",), "component"),
    Refused("labels as a scan", study(scans.labels, as_="T1w="), "FormatError", ("label map", "0, 1, 2"), "lesions"),
    Refused("a scan as lesions", study(scans.scan_of_parts, as_="lesions="), "LabelError", ("whole numbers",), "scan"),
    Refused("a scan as the mask", study(scans.scan_of_parts, as_="mask="), "LabelError", ("whole numbers",), "scan"),
    Refused("only labels", study(scans.labels, "T1w_seg.nii.gz"), "FormatError", ("no scan",), "folder"),
]  # fmt: skip

MENDED = [
    Mended("a few NaN", lambda f: scans.with_values(f, np.nan, 0.005), "NaN"),
    Mended("a series of one", of(noise((*SHAPE, 1))), ""),
    Mended("no orientation", of(noise(), qform=0, sform=0), "no orientation"),
    Mended("metres", scans.in_metres, "meter"),
    Mended("metres that cannot be", of(noise(), units="meter"), "taken as mm"),
    Mended("forms that disagree", scans.forms_apart, "the sform is used"),
    Mended("labels by their values alone", scans.labels, "opened as labels"),
    Mended("a scan that is named labels", of(noise(), "T1w_mask.nii.gz"), "the name says labels"),
]
