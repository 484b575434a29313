"""The parts of the library that a session calls, each imported only when it is first needed.

They are the fields of one value, so that a test can replace the engine and keep the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.progress import Progress

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.io import PatientFiles
    from napari_mrsynth.samples import Sample
    from napari_mrsynth.synthesis import Engine


def _read(specs: Sequence[str | Path]) -> PatientFiles:
    from napari_mrsynth.io import read_patient

    return read_patient(*specs)


def _build(
    volumes: Sequence[Volume], *, name: str, mask: LabelVolume | None, lesions: LabelVolume | None
) -> Study:
    from napari_mrsynth.preprocess.study import build_study

    return build_study(volumes, name=name, mask=mask, lesions=lesions)


def _add(study: Study, volume: Volume) -> Study:
    from napari_mrsynth.preprocess.study import with_volume

    return with_volume(study, volume)


def _remove(study: Study, contrast: str) -> Study:
    from napari_mrsynth.preprocess.study import without

    return without(study, contrast)


def _refer(study: Study, contrast: str) -> Study:
    from napari_mrsynth.preprocess.study import with_reference

    return with_reference(study, contrast)


def _mask(study: Study, mask: LabelVolume) -> Study:
    from napari_mrsynth.preprocess.study_mask import with_mask

    return with_mask(study, mask)


def _align(study: Study, contrasts: Sequence[str] | None) -> Generator[Progress, None, Study]:
    from napari_mrsynth.preprocess.study import align_study

    return align_study(study, contrasts)


def _undo_alignment(study: Study, contrast: str) -> Study:
    from napari_mrsynth.preprocess.study import undo_alignment

    return undo_alignment(study, contrast)


def _samples() -> Sequence[Sample]:
    from napari_mrsynth.samples import catalogue

    return catalogue()


def _write(path: Path, volume: Volume | LabelVolume, provenance: Mapping[str, object] | None) -> Path:
    from napari_mrsynth.io import write_volume

    return write_volume(path, volume, provenance=provenance)


def _file_name(patient: str, contrast: str) -> str:
    from napari_mrsynth.io import derivative_name

    return derivative_name(patient, contrast)


def _store() -> BundleStore:
    from napari_mrsynth.bundles import BundleStore

    return BundleStore()


def _engine(cache_bytes: int) -> Engine:
    from napari_mrsynth.synthesis import Engine

    return Engine(cache_bytes=cache_bytes)


def _device(device: str, precision: str) -> str:
    from napari_mrsynth.synthesis.device import choose

    try:
        plan = choose(device, precision)
    except MrsynthError as error:
        return str(error)
    return f"{plan.device}, {plan.precision}"


@dataclass(frozen=True)
class Parts:
    """What a session is built from.

    Attributes
    ----------
    read, build, add, remove, refer, mask, align, undo_alignment : callable
        How a study comes to be and changes (:mod:`napari_mrsynth.io`, :mod:`napari_mrsynth.preprocess`).
    samples : callable
        Lists the sample patients.
    write, file_name : callable
        How a result is saved.
    store : callable
        Makes the list of installed models.
    engine : callable
        Makes the engine, given the bytes its cache may hold.
    device : callable
        Says in words what a choice of device and precision comes to on this machine.
    """

    read: Callable[[Sequence[str | Path]], PatientFiles] = _read
    build: Callable[..., Study] = _build
    add: Callable[[Study, Volume], Study] = _add
    remove: Callable[[Study, str], Study] = _remove
    refer: Callable[[Study, str], Study] = _refer
    mask: Callable[[Study, LabelVolume], Study] = _mask
    align: Callable[[Study, Sequence[str] | None], Generator[Progress, None, Study]] = _align
    undo_alignment: Callable[[Study, str], Study] = _undo_alignment
    samples: Callable[[], Sequence[Sample]] = _samples
    write: Callable[[Path, Volume | LabelVolume, Mapping[str, object] | None], Path] = _write
    file_name: Callable[[str, str], str] = _file_name
    store: Callable[[], BundleStore] = _store
    engine: Callable[[int], Any] = _engine
    device: Callable[[str, str], str] = _device
