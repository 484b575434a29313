"""The writers behind *File > Save*: NIfTI on the image's own grid, synthetic ones with their provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.errors import OutputError
from napari_mrsynth.gui.layer_data import Tag, image_from, source_of
from napari_mrsynth.gui.layer_space import grid_of
from napari_mrsynth.imaging.known_voxels import known_again
from napari_mrsynth.imaging.volume import LabelVolume, Source, Volume


def write_image(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write one image layer (a scan) to `path`."""
    return [str(_write(Path(path), _image(data, meta, labels=False)))]


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write one labels layer to `path`."""
    return [str(_write(Path(path), _image(data, meta, labels=True)))]


def write_layers(path: str, layers: Sequence[tuple[Any, Mapping[str, Any], str]]) -> list[str]:
    """Write several layers into the folder `path`, one file each, named after the layers.

    Raises
    ------
    OutputError
        If two layers would be one file, or a file is there already: nobody was asked whether it may go.
        Nothing is written then.
    """
    folder = Path(path)
    names = [_file_name(str(meta["name"])) for _, meta, _ in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OutputError(f"Two layers would be saved as {twice[0]}.", hint="Rename one of them.")
    if there := [f"“{name}”" for name in names if (folder / name).exists()]:
        raise OutputError(
            f"“{folder}” holds {', '.join(there)} already: nothing was saved.",
            hint="Save into another folder, rename the layers, or save them one by one.",
        )
    images = [_image(data, meta, labels=kind == "labels") for data, meta, kind in layers]
    folder.mkdir(parents=True, exist_ok=True)
    return [str(_write(folder / name, image)) for name, image in zip(names, images, strict=True)]


def _image(data: Any, meta: Mapping[str, Any], *, labels: bool) -> Volume | LabelVolume:
    """Return the image behind a layer's data and attributes; voxels that a model made stay synthetic."""
    return known_again(_as_tagged(data, meta, labels=labels), np.asarray(data))


def _as_tagged(data: Any, meta: Mapping[str, Any], *, labels: bool) -> Volume | LabelVolume:
    """Return the image behind a layer's data as its attributes say."""
    name = str(meta.get("name", ""))
    tag = Tag.of(meta.get("metadata", {}))
    if tag is not None and np.shape(data) == tag.grid.display.shape:
        return image_from(tag, data, meta)
    array = np.asarray(data)
    if array.ndim != 3:
        raise OutputError(
            f"{name or 'The layer'} has {array.ndim} axes; a scan has three.", hint="Save one frame of it."
        )
    grid = grid_of(array.shape, meta)
    source = Source(format="layer") if tag is None else source_of(tag)  # cropped, but still what it was
    return LabelVolume(array, grid, name, source) if labels else Volume(array, grid, name, source)


def _write(path: Path, image: Volume | LabelVolume) -> Path:
    from napari_mrsynth.io import write_volume

    return write_volume(path, image, provenance=image.source.synthetic)


def _file_name(layer_name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in layer_name)
    return f"{'_'.join(part for part in kept.split('_') if part) or 'layer'}.nii.gz"
