"""A look inside as images that can be shown and saved: pictures of one slice in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging import Affine, Grid, Source, Volume
from napari_mrsynth.io.naming import SOURCE_MAP, derivative_name
from napari_mrsynth.synthesis.inside import Inside


@dataclass(frozen=True, eq=False)
class Sheet:
    """Pictures of one slice in rows and columns, as one synthetic image.

    Attributes
    ----------
    kind : str
        ``alone``, ``latent``, ``fused`` or ``sources``.
    contrast : str
        What was wanted, or whose latent it is; empty where it is of none in particular.
    parts : tuple of str
        The name of each picture, row by row, left to right on the array's axes.
    columns : int
        Pictures in a row.
    image : Volume
        Shape (1, rows x A, columns x R), axes (S, A, R); its first picture lies where the slice does, and its
        name says what is shown.
    """

    kind: str
    contrast: str
    parts: tuple[str, ...]
    columns: int
    image: Volume

    @property
    def name(self) -> str:
        """What the pictures show."""
        return self.image.name

    def file_name(self, patient: str, display_slice: int) -> str:
        """Return its file's name: ``sub-01_desc-syntheticalone70_FLAIR.nii.gz``."""
        what = self.contrast or {"fused": "latent", "sources": SOURCE_MAP}[self.kind]
        given = derivative_name(patient, what)
        return given.replace("desc-synthetic", f"desc-synthetic{self.kind}{display_slice}", 1)


def sheets_of(inside: Inside) -> list[Sheet]:
    """Lay out the decodings of each wanted contrast, each input's latent, the fused one, the source map."""
    sheets = [
        _sheet(
            inside,
            ("alone", wanted, f"{wanted} from each input alone"),
            list(planes),
            list(planes.values()),
            rows=1,
        )
        for wanted, planes in inside.decodings.items()
    ]
    sheets += [
        _sheet(inside, ("latent", contrast, f"Latent of {contrast}"), _channels(stack), list(stack))
        for contrast, stack in inside.latents.items()
    ]
    sheets.append(_sheet(inside, ("fused", "", "Fused latent"), _channels(inside.fused), list(inside.fused)))
    legend = ", ".join(f"{number} {contrast}" for number, contrast in enumerate(inside.latents, start=1))
    return [*sheets, _sheet(inside, ("sources", "", "Source map"), [legend], [inside.sources])]


def _channels(stack: NDArray[np.float32]) -> list[str]:
    return [f"channel {number + 1}" for number in range(len(stack))]


def _sheet(
    inside: Inside,
    what: tuple[str, str, str],
    parts: Sequence[str],
    planes: Sequence[NDArray[np.generic]],
    rows: int | None = None,
) -> Sheet:
    """Lay pictures out; `what` is the sheet's kind, contrast and name."""
    kind, contrast, name = what
    rows = rows or ceil(sqrt(len(planes)))
    columns = ceil(len(planes) / rows)
    _, height, width = inside.grid.shape
    array = np.zeros((1, rows * height, columns * width), np.float32)
    for place, plane in enumerate(planes):
        row, column = divmod(place, columns)
        array[0, row * height : (row + 1) * height, column * width : (column + 1) * width] = plane
    record = {
        **inside.provenance,
        "contrast": name,
        "inside": {"slice": inside.display_slice, "parts": list(parts), "rows": rows, "columns": columns},
    }
    grid = Grid(array.shape, Affine(inside.grid.affine.matrix))
    image = Volume(array, grid, name, Source(format="synthetic", synthetic=record))
    return Sheet(kind, contrast, tuple(parts), columns, image)
