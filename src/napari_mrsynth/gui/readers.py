"""The reader behind *File > Open*, drag and drop, and ``viewer.open``: the command line's own code path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mrsynth.gui.layer_data import LayerTuple, layer_tuple

PathOrPaths = str | Sequence[str]
ReaderFunction = Callable[[PathOrPaths], list[LayerTuple]]


def get_reader(path: PathOrPaths) -> ReaderFunction | None:
    """Return the reader of one patient's files or folder, or None where nothing is there.

    Parameters
    ----------
    path : str or sequence of str
        A file, several files of one patient, or a folder: a patient's, or a DICOM series'.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return read_layers if paths and all(Path(each).exists() for each in paths) else None


def read_layers(path: PathOrPaths) -> list[LayerTuple]:
    """Read a patient and return one layer per scan and label map.

    What was corrected or left out is shown as a notification.

    Raises
    ------
    FormatError, GridError, ContrastError
        As :func:`napari_mrsynth.io.read_patient` does; napari shows the message.
    """
    from napari.utils.notifications import show_info

    from napari_mrsynth.gui.marking import mark_current
    from napari_mrsynth.io import read_patient

    patient = read_patient(*([path] if isinstance(path, str) else path))
    layers = [layer_tuple(volume) for volume in patient.volumes]
    for name, labels in (("lesions", patient.lesions), ("brain mask", patient.mask)):
        if labels is not None:
            layers.append(layer_tuple(labels, name=name))
    notes = [*patient.notes, *(note for volume in patient.volumes for note in volume.notes)]
    if notes:
        show_info("\n".join(dict.fromkeys(notes)))
    mark_current(volume.is_synthetic for volume in patient.volumes)
    return layers
