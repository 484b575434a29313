"""Folders and DICOM exports from which no patient can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bad import scans
from bad.row import Refused, study
from bad.scans import SHAPE, content, scan
from dicom_files import classic_series, report
from phantoms import phantom

SERIES = phantom(SHAPE, contrast="T1w", dtype=np.uint16)


def empty(folder: Path) -> Path:
    (folder / "patient").mkdir()
    return folder / "patient"


def letters(folder: Path) -> Path:
    content(folder / "patient" / "letter.docx", b"PK\x03\x04 Dear colleague")
    return folder / "patient"


def only_damaged(folder: Path) -> Path:
    scans.cut(folder / "patient", "sub-01_T1w.nii.gz")
    return folder / "patient"


def only_synthetic(folder: Path) -> Path:
    """A folder with nothing but what this program made."""
    path = scan(folder / "patient", "sub-01_FLAIR.nii.gz", "FLAIR")
    content(path.with_name("sub-01_FLAIR.json"), b'{"Synthetic": true, "Provenance": {"bundle": "tiny"}}')
    return folder / "patient"


def twins(folder: Path) -> Path:
    scan(folder / "patient", "sub-01_ses-1_T1w.nii.gz")
    scan(folder / "patient", "sub-01_ses-2_T1w.nii.gz")
    return folder / "patient"


def two_masks(folder: Path) -> Path:
    scan(folder / "patient", "sub-01_T1w.nii.gz")
    for name in ("sub-01_seg.nii.gz", "sub-01_lesion.nii.gz"):
        scans.labels(folder / "patient", name)
    return folder / "patient"


def series(folder: Path, *, drop: tuple[int, ...] = (), tags: dict[str, Any] | None = None) -> Path:
    classic_series(folder / "export", SERIES, drop=drop, tags=tags)
    return folder / "export"


def localiser(folder: Path) -> Path:
    return series(folder, drop=tuple(range(1, SHAPE[2])))


def with_hole(folder: Path) -> Path:
    return series(folder, drop=(4, 5))


def without_place(folder: Path) -> Path:
    """A series without positions."""
    import pydicom

    for path in sorted(series(folder).iterdir()):
        dataset = pydicom.dcmread(path)
        del dataset.ImagePositionPatient
        dataset.save_as(path)
    return folder / "export"


def at_one_place(folder: Path) -> Path:
    """A series whose slices all lie at one place: a time series."""
    return series(folder, tags={"ImagePositionPatient": [0.0, 0.0, 0.0]})


def in_colour(folder: Path) -> Path:
    return series(folder, tags={"SamplesPerPixel": 3})


def mosaic(folder: Path) -> Path:
    return series(folder, tags={"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]})


def only_report(folder: Path) -> Path:
    return report(folder / "export" / "SR0001").parent


def with_few_pixels(folder: Path) -> Path:
    return series(folder, tags={"PixelData": bytes(40)})


def cut_slices(folder: Path) -> Path:
    for path in sorted(series(folder).iterdir()):
        content(path, path.read_bytes()[:300])
    return folder / "export"


def two_series(folder: Path) -> Path:
    classic_series(folder / "export", SERIES, number=3, description="t1_mprage")
    classic_series(folder / "export", SERIES, number=4, description="t1_mprage_repeat", seed=1)
    return folder / "export"


def one_contrast_twice(folder: Path) -> list[object]:
    return ["study", f"FLAIR={scan(folder, 'a.nii.gz')}", f"FLAIR={scan(folder, 'b.nii.gz')}"]


def one_mask_twice(folder: Path) -> list[object]:
    given = [f"mask={scans.labels(folder, name)}" for name in ("a.nii.gz", "b.nii.gz")]
    return ["study", scan(folder), *given]


REFUSED = [
    Refused("an empty folder", study(empty), "FormatError", ("no scan", "patient"), "NIfTI"),
    Refused("a folder of letters", study(letters), "FormatError", ("no scan", "letter.docx"), "NIfTI"),
    Refused(
        "a folder of one damaged scan",
        study(only_damaged),
        "FormatError",
        ("no scan", "sub-01_T1w.nii.gz", "cut short"),
        "NIfTI",
    ),
    Refused(
        "a folder of synthetic scans",
        study(only_synthetic),
        "FormatError",
        ("no scan", "synthetic, not acquired"),
        "NIfTI",
    ),
    Refused(
        "two sessions in one folder",
        study(twins),
        "ContrastError",
        ("T1w", "ses-1_T1w.nii.gz", "ses-2_T1w.nii.gz"),
        "T1w=",
    ),
    Refused(
        "two lesion files",
        study(two_masks),
        "LabelError",
        ("lesions", "sub-01_seg.nii.gz", "sub-01_lesion.nii.gz"),
        "lesions=FILE",
    ),
    Refused(
        "one contrast given twice", one_contrast_twice, "ContrastError", ("a.nii.gz", "b.nii.gz"), "FLAIR="
    ),
    Refused("the mask given twice", one_mask_twice, "LabelError", ("a.nii.gz", "b.nii.gz"), "mask=FILE"),
    Refused(
        "a contrast whose file is missing",
        lambda folder: ["study", f"T1w={folder / 'absent.nii.gz'}"],
        "FormatError",
        ("absent.nii.gz",),
        "spelling",
    ),
    Refused(
        "a contrast without a file",
        lambda folder: ["study", "T1w="],
        "FormatError",
        ("T1w=",),
        "T1w=FILE",
    ),
    Refused("a localiser", study(localiser), "FormatError", ("1 slice", "localiser"), "NIfTI"),
    Refused("missing slices", study(with_hole), "FormatError", ("misses slices", "12.00 mm"), "NIfTI"),
    Refused(
        "slices without a place", study(without_place), "FormatError", ("ImagePositionPatient",), "NIfTI"
    ),
    Refused("slices at one place", study(at_one_place), "FormatError", ("at each place",), "NIfTI"),
    Refused("a screen capture", study(in_colour), "FormatError", ("in colour",), "NIfTI"),
    Refused("a mosaic", study(mosaic), "FormatError", ("mosaic", "dcm2niix"), "NIfTI"),
    Refused("a DICOM report", study(only_report), "FormatError", ("holds no image", "SR"), "NIfTI"),
    Refused("too few pixels", study(with_few_pixels), "FormatError", ("pixels",), "NIfTI"),
    Refused("cut DICOM files", study(cut_slices), "FormatError", ("export",), "NIfTI"),
    Refused(
        "text called .dcm",
        study(lambda folder: content(folder / "IM0001.dcm", b"not DICOM")),
        "FormatError",
        ("IM0001.dcm",),
        "again",
    ),
    Refused(
        "a folder of two series as one contrast",
        study(two_series, as_="T1w="),
        "FormatError",
        ("2 series", "t1_mprage_repeat"),
        "export#3",
    ),
    Refused(
        "a series that is not there",
        lambda folder: ["study", f"T1w={two_series(folder)}#9"],
        "FormatError",
        ("no series 9",),
        "t1_mprage",
    ),
]
