"""DICOM headers, classic and enhanced, as one kind of frame: where a slice lies and how it was acquired."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.io.decoded import refusing_damage
from napari_mrsynth.io.sequence import Sequence


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice.

    Attributes
    ----------
    path, index
        The file, and which of its frames.
    rows, columns : int
    position_lps : ndarray, shape (3,)
        LPS mm of the first pixel's centre.
    row_lps, column_lps : ndarray, shape (3,)
        Unit vectors along a row (growing column index) and along a column.
    spacing : (float, float)
        Between rows and between columns, mm.
    slope, intercept : float
        Rescaling of the stored numbers.
    acquired : Sequence
    patient, study : str
        Digests of the PatientID and the StudyInstanceUID, which tell two apart and name nobody; empty where
        the header has none.
    stack : tuple
        Equal for the slices of one volume.
    """

    path: Path
    index: int
    rows: int
    columns: int
    position_lps: FloatArray
    row_lps: FloatArray
    column_lps: FloatArray
    spacing: tuple[float, float]
    slope: float
    intercept: float
    acquired: Sequence
    series_number: int
    acquisition: int
    patient: str
    study: str
    stack: tuple[object, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """Series number and description, as a scanner's console shows them."""
        return f"{self.series_number} {self.acquired.description}".strip()

    @property
    def is_derived(self) -> bool:
        """Whether the header calls it computed (a reformat, a map), not acquired."""
        return self.acquired.image_type[:1] == ("DERIVED",)


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark (``DICM`` at byte 128) or says so by its name."""
    if path.suffix.lower() in (".dcm", ".ima"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def siblings_of(path: Path) -> list[Path]:
    """Return the DICOM files beside `path` that belong to its series, itself included.

    Raises
    ------
    FormatError
        If `path` is not readable DICOM.
    """
    uid = _header(path).get("SeriesInstanceUID")
    files = []
    for other in sorted(path.parent.iterdir()):
        if other == path or (other.is_file() and is_dicom(other) and _series_uid(other) == uid):
            files.append(other)
    return files


def frames_of(path: Path) -> list[Frame]:
    """Return the frames of a DICOM file.

    Raises
    ------
    FormatError
        If it is damaged, holds no image, is in colour, a mosaic, or does not say where it lies.
    """
    dataset = _header(path)
    name = path.name
    if "Rows" not in dataset or "Columns" not in dataset:
        raise FormatError(f"“{name}” holds no image ({dataset.get('Modality', 'no modality')})")
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise FormatError(f"“{name}” is in colour (a screen capture or a map)")
    if "MOSAIC" in dataset.get("ImageType", ()):
        raise FormatError(f"“{name}” is a mosaic of many slices in one; convert it with dcm2niix")
    if dataset.get("Modality") == "SEG":
        raise FormatError(f"“{name}” is a DICOM segmentation; export it as NIfTI")
    try:
        with refusing_damage(path, "DICOM"):
            return list(_frames(dataset, path))
    except AttributeError as error:
        raise FormatError(
            f"“{name}” does not say where its slices lie: {error}.", hint="Export the original series."
        ) from error


def pixels_of(path: Path) -> NDArray[Any]:
    """Return the stored numbers of a file's frames, shape (frames, rows, columns).

    pydicom decodes them, SimpleITK where it does not know the compression.

    Raises
    ------
    FormatError
        If they cannot be decoded.
    """
    import pydicom

    with refusing_damage(path, "DICOM pixels"):
        dataset = pydicom.dcmread(path)
        try:
            pixels: NDArray[Any] = dataset.pixel_array
        except (NotImplementedError, RuntimeError):
            pixels = _pixels_by_itk(path, dataset)
        return pixels[None] if pixels.ndim == 2 else pixels


def _pixels_by_itk(path: Path, dataset: Any) -> NDArray[Any]:
    """Decode with GDCM, undoing the rescaling it applies on its own."""
    import SimpleITK as sitk  # noqa: N813

    pixels: NDArray[Any] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    if (slope, intercept) != (1, 0):
        pixels = np.rint((pixels - intercept) / slope)
    return pixels


def _header(path: Path) -> Any:
    import pydicom

    with refusing_damage(path, "DICOM"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that bend the standard a little are everyday
        return pydicom.dcmread(path, stop_before_pixels=True)


def _series_uid(path: Path) -> object:
    try:
        return _header(path).get("SeriesInstanceUID")
    except FormatError:
        return None


def _frames(dataset: Any, path: Path) -> Iterator[Frame]:
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
            raise FormatError(f"“{path.name}” has {dataset.NumberOfFrames} frames and no place for each")
        yield _frame(dataset, path, 0, _Groups(dataset, None))
        return
    for index, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        yield _frame(dataset, path, index, _Groups(dataset, own))


class _Groups:
    """Looks attributes up where enhanced files keep them: the frame, the shared groups, the top."""

    def __init__(self, dataset: Any, own: Any) -> None:
        shared = dataset.get("SharedFunctionalGroupsSequence")
        self._places = [] if own is None else [own, *(shared or ())]
        self._dataset = dataset

    def get(self, macro: str, attribute: str, classic: str | None = None) -> Any:
        for place in self._places:
            found = place.get(macro)
            if found and found[0].get(attribute) is not None:
                return found[0].get(attribute)
        return self._dataset.get(classic or attribute)

    def need(self, macro: str, attribute: str) -> Any:
        value = self.get(macro, attribute)
        if value is None or (hasattr(value, "__len__") and not len(value)):
            raise FormatError(f"it has no {attribute}")
        return value


def _frame(dataset: Any, path: Path, index: int, groups: _Groups) -> Frame:
    try:
        position = _numbers(groups.need("PlanePositionSequence", "ImagePositionPatient"), 3)
        cosines = _numbers(groups.need("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
        between_rows, between_columns = _numbers(groups.need("PixelMeasuresSequence", "PixelSpacing"), 2)
    except FormatError as error:
        raise FormatError(f"“{path.name}” does not say where its slices lie: {error.message}") from error
    acquired = _acquired(dataset, groups)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    patient, study = (_digest(dataset.get(key)) for key in ("PatientID", "StudyInstanceUID"))
    stack = (
        str(dataset.get("SeriesInstanceUID", "")),
        (rows, columns),
        tuple(np.round(cosines, 2) + 0.0),
        None if acquired.te_ms is None else round(acquired.te_ms, 1),
        acquired.b_value,
        groups.get("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
        acquired.image_type[2:3],
        patient,
        study,
    )
    return Frame(
        path,
        index,
        rows,
        columns,
        position,
        cosines[:3],
        cosines[3:],
        (float(between_rows), float(between_columns)),
        _number(groups.get("PixelValueTransformationSequence", "RescaleSlope"), 1.0),
        _number(groups.get("PixelValueTransformationSequence", "RescaleIntercept"), 0.0),
        acquired,
        int(_number(dataset.get("SeriesNumber"), 0)),
        int(_number(dataset.get("AcquisitionNumber"), 0)),
        patient,
        study,
        stack,
    )


def _digest(identifier: Any) -> str:
    """Return what tells an identifier from others without saying it, empty for an empty one."""
    text = "" if identifier is None else str(identifier).strip()
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def _acquired(dataset: Any, groups: _Groups) -> Sequence:
    words = (dataset.get(key) for key in ("SeriesDescription", "ProtocolName", "SequenceName"))
    agents = dataset.get("ContrastBolusAgentSequence")
    agent = str(dataset.get("ContrastBolusAgent") or (agents[0].get("CodeMeaning", "") if agents else ""))
    inversion = groups.get("MRModifierSequence", "InversionTimes", "InversionTime")
    if isinstance(inversion, (list, tuple)) or hasattr(inversion, "__iter__"):
        inversion = next(iter(inversion), None)
    return Sequence(
        description=next((str(word) for word in words if word), ""),
        tr_ms=_or_none(groups.get("MRTimingAndRelatedParametersSequence", "RepetitionTime")),
        te_ms=_or_none(groups.get("MREchoSequence", "EffectiveEchoTime", "EchoTime")),
        ti_ms=_or_none(inversion),
        b_value=_or_none(groups.get("MRDiffusionSequence", "DiffusionBValue")),
        agent="" if agent.strip().upper() in ("", "NONE", "NO", "N") else agent.strip(),
        image_type=tuple(str(word) for word in dataset.get("ImageType", ()) or ()),
    )


def _numbers(values: Any, count: int) -> FloatArray:
    numbers = np.array([float(value) for value in values], dtype=np.float64)
    if numbers.size != count or not np.isfinite(numbers).all():
        raise FormatError(f"{numbers.tolist()} are not {count} numbers")
    return numbers


def _number(value: Any, otherwise: float) -> float:
    return otherwise if value is None or value == "" else float(value)


def _or_none(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)
