"""A look inside the last synthesis: single decodings and latents of the displayed slice, as one layer."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import InputError
from napari_mrsynth.gui import garbage
from napari_mrsynth.gui.layer_data import Tag, limits, placed
from napari_mrsynth.progress import Progress

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_mrsynth.session import SynthesisSession
    from napari_mrsynth.synthesis.sheets import Sheet


def remove(viewer: ViewerModel, layer: Image | None) -> None:
    """Take the layer of a look inside out of the viewer, where it is there."""
    if layer is not None and layer in viewer.layers:
        with garbage.left_for_later():
            viewer.layers.remove(layer)


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
        If nothing has been synthesised, the slice shows no brain, or the model has no latents.
    """
    yield Progress(0.0, "Looking inside")
    study, result = session.study, session.result
    if study is None or result is None:
        raise InputError("Nothing has been synthesised yet.", hint="Make a contrast with the Synthesis dock.")
    from napari_mrsynth.synthesis.inside import look_inside
    from napari_mrsynth.synthesis.sheets import sheets_of

    return sheets_of(look_inside(session.engine, study, result.request, index))


def show(viewer: ViewerModel, sheet: Sheet, layer: Image | None) -> Image:
    """Show a sheet where the slice lies; `layer` is filled again where it is still in the viewer.

    Returns
    -------
    Image
        The layer; its first picture lies over the slice itself.
    """
    image = sheet.image
    tag = Tag("preview", image.grid, image.source, provenance=image.source.synthetic)
    attributes: dict[str, Any] = {
        "name": f"{sheet.name} (synthetic)",
        "metadata": tag.as_metadata(),
        **limits(image.array),
    }
    place = placed(image.grid)
    if layer is not None and layer in viewer.layers:
        layer.data = image.display
        layer.scale, layer.translate = place["scale"], place["translate"]
        for name, value in attributes.items():
            setattr(layer, name, value)
        layer.visible = True
        return layer
    added: Image = viewer.add_image(image.display, **attributes, **place)
    return added
