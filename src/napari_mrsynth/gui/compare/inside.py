"""A look inside the last synthesis: single decodings and latents of the displayed slice, as one layer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.gui.layer_data import Tag, limits, placed
from napari_mrsynth.imaging.volume import Source
from napari_mrsynth.progress import Progress

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_mrsynth.imaging.geometry import Grid
    from napari_mrsynth.session import SynthesisSession
    from napari_mrsynth.synthesis.inside import Inside


@dataclass(frozen=True, eq=False)
class Sheet:
    """Pictures of one slice in rows and columns.

    Attributes
    ----------
    name : str
        What they show.
    parts : tuple of str
        The name of each, row by row, left to right on the array's axes.
    plane : ndarray of float32, shape (rows x A, columns x R)
    """

    name: str
    parts: tuple[str, ...]
    plane: NDArray[np.float32]


def session_in(viewer: ViewerModel) -> SynthesisSession | None:
    """Return the session of the Synthesis dock in the viewer's window, or None where it is not open."""
    from napari_mrsynth.gui.dock import SynthesisDock

    window = getattr(viewer, "window", None)
    docks = {} if window is None else window.dock_widgets
    return next((widget.session for widget in docks.values() if isinstance(widget, SynthesisDock)), None)


def opening(session: SynthesisSession, index: int) -> Generator[Progress, None, list[Sheet]]:
    """Open up one displayed axial slice of a session's last synthesis.

    Parameters
    ----------
    session : SynthesisSession
    index : int
        S index on the study's display grid.

    Raises
    ------
    InputError
        If nothing has been synthesised, or the model has no latents.
    """
    yield Progress(0.0, "Looking inside")
    study, result = session.study, session.result
    if study is None or result is None:
        raise InputError("Nothing has been synthesised yet.", hint="Make a contrast with the Synthesis dock.")
    from napari_mrsynth.synthesis.inside import look_inside

    return sheets_of(look_inside(session.engine, study, result.request, index))


def sheets_of(inside: Inside) -> list[Sheet]:
    """Lay the pictures out: the decodings of each wanted contrast, each input's latent, the fused latent."""
    sheets = [
        _sheet(f"{wanted} from each input alone", list(planes), list(planes.values()), rows=1)
        for wanted, planes in inside.decodings.items()
    ]
    stacks = {f"Latent of {contrast}": stack for contrast, stack in inside.latents.items()}
    for name, stack in {**stacks, "Fused latent": inside.fused}.items():
        sheets.append(_sheet(name, [f"channel {n + 1}" for n in range(len(stack))], list(stack)))
    return sheets


def show(viewer: ViewerModel, sheet: Sheet, grid: Grid, index: int, layer: Image | None) -> Image:
    """Show a sheet where the slice lies; `layer` is filled again where it is still in the viewer.

    Returns
    -------
    Image
        The layer; its first picture lies over the slice itself.
    """
    place = placed(grid)
    height, *rest = place["translate"]
    place["translate"] = (height + index * place["scale"][0], *rest)
    name = f"{sheet.name} (synthetic)"
    if layer is not None and layer in viewer.layers:
        layer.data, layer.name, layer.translate = sheet.plane[np.newaxis], name, place["translate"]
        layer.contrast_limits = limits(sheet.plane)["contrast_limits"]
        layer.visible = True
        return layer
    tag = Tag("preview", grid, Source(format="synthetic"))
    attributes: dict[str, Any] = {**place, **limits(sheet.plane), "metadata": tag.as_metadata()}
    added: Image = viewer.add_image(sheet.plane[np.newaxis], name=name, **attributes)
    return added


def _sheet(
    name: str, parts: Sequence[str], planes: Sequence[NDArray[np.float32]], rows: int | None = None
) -> Sheet:
    rows = rows or ceil(sqrt(len(planes)))
    columns = ceil(len(planes) / rows)
    blank = np.zeros_like(planes[0])
    filled = [*planes, *[blank] * (rows * columns - len(planes))]
    lines = [np.concatenate(filled[row * columns : (row + 1) * columns], axis=1) for row in range(rows)]
    return Sheet(name, tuple(parts), np.concatenate(lines, axis=0))
