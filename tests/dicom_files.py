"""Made-up DICOM exports of a phantom: classic slices under meaningless names, and enhanced files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from napari_mrsynth.imaging import Volume

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def classic_series(
    folder: Path,
    volume: Volume,
    *,
    number: int = 1,
    description: str = "t1_mprage",
    slope: float = 1.0,
    intercept: float = 0.0,
    seed: int = 0,
    drop: tuple[int, ...] = (),
    tags: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write a volume of integers as one file per slice (along k), in shuffled, meaningless order of names."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = generate_uid(entropy_srcs=[str(folder), str(number)])
    names = np.random.default_rng(seed).permutation(volume.array.shape[2])
    written = []
    for k, name in enumerate(names):
        if k in drop:
            continue
        dataset = _base(MRImageStorage, uid, number, description, entropy=f"{folder}{number}{k}")
        row, column, sizes = _directions(volume)
        dataset.ImageOrientationPatient = [float(f"{value:.9f}") for value in (*row, *column)]
        dataset.ImagePositionPatient = [float(f"{value:.6f}") for value in _lps(volume, k)]
        dataset.PixelSpacing = [sizes[1], sizes[0]]
        dataset.SliceThickness = sizes[2]
        dataset.InstanceNumber = int(name) + 1
        if (slope, intercept) != (1.0, 0.0):
            dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        _pixels(dataset, volume.array[:, :, k].T[None])
        for tag, value in (tags or {}).items():
            setattr(dataset, tag, value)
        path = folder / f"IM{int(name):04d}_{number}"
        dataset.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def enhanced_file(path: Path, volume: Volume, *, description: str = "t2_tse", slope: float = 1.0) -> Path:
    """Write a volume of integers as one enhanced multi-frame file, its frames shuffled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = _base(EnhancedMRImageStorage, generate_uid(entropy_srcs=[str(path)]), 7, description, str(path))
    row, column, sizes = _directions(volume)
    order = np.random.default_rng(1).permutation(volume.array.shape[2])
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [sizes[1], sizes[0]], sizes[2]
    orientation.ImageOrientationPatient = [float(f"{value:.9f}") for value in (*row, *column)]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    echo, timing = Dataset(), Dataset()
    echo.EffectiveEchoTime, timing.RepetitionTime = 100.0, 5000.0
    shared.MREchoSequence, shared.MRTimingAndRelatedParametersSequence = [echo], [timing]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for k in order:
        frame, place, scale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [float(f"{value:.6f}") for value in _lps(volume, int(k))]
        scale.RescaleSlope, scale.RescaleIntercept = slope, 0.0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [scale]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames = len(frames)
    _pixels(dataset, volume.array[:, :, order].transpose(2, 1, 0))
    dataset.save_as(path, enforce_file_format=True)
    return path


def report(path: Path) -> Path:
    """Write a structured report: DICOM without an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = _base("1.2.840.10008.5.1.4.1.1.88.11", generate_uid(), 99, "report", str(path))
    dataset.Modality = "SR"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _base(sop_class: str, series_uid: str, number: int, description: str, entropy: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[entropy])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID, dataset.SeriesNumber = series_uid, number
    dataset.SeriesDescription, dataset.Modality = description, "MR"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    return dataset


def _pixels(dataset: Dataset, frames: np.ndarray) -> None:
    stored = frames.astype(np.uint16)
    dataset.Rows, dataset.Columns = stored.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = stored.tobytes()


def _directions(volume: Volume) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    directions = RAS_TO_LPS @ volume.grid.affine.directions
    return directions[:, 0], directions[:, 1], volume.grid.spacing


def _lps(volume: Volume, k: int) -> np.ndarray:
    return RAS_TO_LPS @ volume.grid.affine.apply((0, 0, k))
