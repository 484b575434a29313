"""Volumes as napari layers and back, without copying voxels and without giving napari an affine.

A layer shows the (S, A, R) view of the native array; its scale and translate are the voxel size and the
first voxel in RAS mm. The exact grid and everything else a writer needs travel in ``metadata["mrsynth"]``.
An oblique grid is thus shown along its own axes, and saved exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.gui.layer_space import grid_of
from napari_mrsynth.imaging.contrasts import guess_from_name
from napari_mrsynth.imaging.geometry import DISPLAY_AXES, Affine, Grid
from napari_mrsynth.imaging.volume import LabelVolume, Source, Volume
from napari_mrsynth.io import checks

if TYPE_CHECKING:
    from napari.layers import Layer

KEY = "mrsynth"
LayerTuple = tuple[Any, dict[str, Any], str]

_SAMPLED_VOXELS = 400_000

MADE_BY_MODEL = frozenset({"synthetic", "preview", "source map"})
"""Kinds of layers whose voxels no scanner measured."""


@dataclass(frozen=True)
class Tag:
    """What a layer of ours is.

    Attributes
    ----------
    kind : str
        ``scan``, ``synthetic``, ``preview``, ``labels`` or ``source map``.
    grid : Grid
        The exact native grid.
    source : Source
        Where the voxels came from.
    contrast : str or None
    confidence : float
    notes : tuple of str
    provenance : mapping
        How a synthetic layer was made; empty for a scan.
    labels : mapping of int to str
        Names of the classes of a label map.
    """

    kind: str
    grid: Grid
    source: Source
    contrast: str | None = None
    confidence: float = 1.0
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] | None = None
    labels: Mapping[int, str] | None = None

    def as_metadata(self) -> dict[str, Any]:
        """Return the layer metadata that holds this."""
        return {KEY: {name: getattr(self, name) for name in self.__dataclass_fields__}}

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Tag | None:
        """Return what a layer's metadata says, or None where the layer is not ours."""
        found = metadata.get(KEY)
        return cls(**found) if found else None


def layer_tuple(image: Volume | LabelVolume, *, name: str | None = None) -> LayerTuple:
    """Return the layer of a scan, of a synthetic scan, or of labels.

    Returns
    -------
    data : ndarray, shape (S, A, R)
        A view of the image's own array.
    attributes : dict
        Name, placement in mm, display limits, metadata.
    kind : str
        ``image`` or ``labels``.
    """
    if isinstance(image, LabelVolume):
        tag = Tag("labels", image.grid, image.source, notes=image.notes, labels=dict(image.labels))
        return (
            _labels_view(image),
            {**placed(image.grid), **_named(name or image.name, tag), "opacity": 0.5},
            "labels",
        )
    provenance = image.source.synthetic
    tag = Tag(
        "scan" if provenance is None else "synthetic",
        image.grid,
        image.source,
        contrast=image.contrast,
        confidence=image.confidence,
        notes=image.notes,
        provenance=provenance,
    )
    attributes = {
        **placed(image.grid),
        **_named(name or scan_name(image), tag),
        "colormap": "gray",
        **limits(image.array),
    }
    return image.display, attributes, "image"


def scan_name(volume: Volume) -> str:
    """Return what a scan's layer is called: its contrast where that is known, marked when synthetic."""
    name = volume.contrast or volume.name or "scan"
    return f"{name} (synthetic)" if volume.is_synthetic else name


def placed(grid: Grid) -> dict[str, Any]:
    """Return the attributes that put a layer of `grid` in space: scale, translate, units, axis labels."""
    shown = grid.display
    x, y, z = shown.affine.origin
    return {
        "scale": shown.spacing,
        "translate": (z, y, x),
        "units": ("mm",) * 3,
        "axis_labels": DISPLAY_AXES,
    }


def shows(layer: Layer, volume: Volume) -> bool:
    """Whether a layer shows just a volume's voxels, not copies of them, where they are."""
    shown = volume.display
    place = placed(volume.grid)
    return (
        isinstance(layer.data, np.ndarray)
        and layer.data.shape == shown.shape
        and layer.data.strides == shown.strides
        and layer.data.ctypes.data == shown.ctypes.data
        and np.allclose(layer.scale, place["scale"])
        and np.allclose(layer.translate, place["translate"])
    )


def limits(array: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Return display limits that outliers do not move: up to 99.5 % of the non-zero voxels, 0 being black.

    Where there are negative values, black is at 0.5 %.

    Large arrays are sampled on a regular lattice, so that this takes milliseconds.
    """
    step = max(1, int(np.ceil((array.size / _SAMPLED_VOXELS) ** (1 / array.ndim))))
    sample = np.asarray(array[(slice(None, None, step),) * array.ndim], dtype=np.float32)
    lowest, highest = float(sample.min()), float(sample.max())
    inside = sample[sample != 0]
    if inside.size == 0 or lowest == highest:
        return {"contrast_limits": (min(lowest, 0.0), max(highest, lowest + 1.0))}
    low, high = (float(q) for q in np.percentile(inside, (0.5, 99.5)))
    if lowest >= 0:
        low = 0.0
    return {"contrast_limits": (low, high if high > low else low + 1.0)}


def image_of(layer: Layer) -> Volume | LabelVolume | None:
    """Return the image behind a layer of ours, where it is shown; None for any other layer."""
    tag = Tag.of(layer.metadata)
    if tag is None or tag.kind == "preview":
        return None
    return image_from(tag, layer.data, attributes_of(layer))


def image_from(tag: Tag, data: Any, attributes: Mapping[str, Any]) -> Volume | LabelVolume:
    """Rebuild the image from a layer's tag, its (S, A, R) voxels and its attributes: name and place."""
    name, grid = str(attributes.get("name", "")), _moved(tag.grid, attributes)
    notes = tag.notes if grid is tag.grid else (*tag.notes, f"{name} lies where it was moved in the viewer.")
    array = tag.grid.from_display(np.asarray(data))
    source = source_of(tag)
    if tag.kind in ("labels", "source map"):
        return LabelVolume(array, grid, name, source, notes, labels=dict(tag.labels or {}))
    return Volume(array, grid, name, source, notes, contrast=tag.contrast, confidence=tag.confidence)


def attributes_of(layer: Layer) -> dict[str, Any]:
    """Return a layer's name and place as :func:`image_from` takes them."""
    place = {key: getattr(layer, key) for key in ("scale", "translate", "rotate", "shear", "units")}
    return {"name": layer.name, "affine": layer.affine.affine_matrix, **place}


def _moved(grid: Grid, attributes: Mapping[str, Any]) -> Grid:
    """Return the grid that a layer of `grid` has where the viewer shows it; the very same if nobody moved it.

    Layers show the axes of an oblique grid as if they were straight, so what counts is how the layer was
    moved from where it was put, and the grid is moved by the same.
    """
    shape = grid.display.shape
    put, shown = (grid_of(shape, place).affine for place in (placed(grid), attributes))
    if np.allclose(put.matrix, shown.matrix, atol=1e-3):
        return grid
    return Grid(grid.shape, Affine(shown.matrix @ put.inverse @ grid.affine.matrix))


def source_of(tag: Tag) -> Source:
    """Return where a layer's image comes from; one that a model made says so, whatever its record lacks."""
    if tag.kind not in MADE_BY_MODEL:
        return replace(tag.source, synthetic=tag.provenance)
    record = tag.provenance or {"Synthetic": True, "Description": f"A {tag.kind} layer made by a model."}
    return replace(tag.source, format="synthetic", synthetic=record)


def edited(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a layer of ours that was given other voxels: they are in no file."""
    tag = Tag.of(metadata)
    if tag is None:
        return {}
    note = "Its voxels were replaced in the viewer."
    made = None if tag.provenance is None else {**tag.provenance, "edited": note}
    source = replace(tag.source, path=None, format="layer")
    return replace(tag, source=source, notes=(*tag.notes, note), provenance=made).as_metadata()


def placed_by_user(
    array: NDArray[Any], grid: Grid, name: str, *, labels: bool = False
) -> Volume | LabelVolume:
    """Make an image of an array that came without geometry, on the grid its user says.

    Parameters
    ----------
    array : ndarray, shape (i, j, k)
    grid : Grid
    name : str
        The layer's name; a scan's contrast is guessed from it.
    labels : bool
        Whether it is a label map.

    Raises
    ------
    FormatError
        If a scan's voxels are no real numbers, or too many are NaN or infinite.
    """
    sizes = " × ".join(f"{size:g}" for size in grid.spacing)
    note = f"{name}: voxel size {sizes} mm and axes {grid.affine.codes}, as given by the user."
    source = Source(format="layer")
    if labels:
        return LabelVolume(array, grid, name, source, (note,))
    guess = guess_from_name(name)
    return checked(
        Volume(array, grid, name, source, (note,), contrast=guess.contrast, confidence=guess.confidence)
    )


def checked(scan: Volume) -> Volume:
    """Return a layer's scan with voxels as those of a file are: real numbers, a few bad ones set to 0.

    Raises
    ------
    FormatError
        If they are no real numbers, or more than 1 % of them are NaN or infinite.
    """
    array, notes = checks.finite(checks.real_numbers(scan.array, scan.name), scan.name)
    return scan if array is scan.array else scan.with_array(array).noting(*notes)


def _named(name: str, tag: Tag) -> dict[str, Any]:
    return {"name": name, "metadata": tag.as_metadata()}


def _labels_view(image: LabelVolume) -> NDArray[Any]:
    view = image.display
    return view.view(np.uint8) if view.dtype == np.bool_ else view
