"""The user's preferences, as the manifest declares them and napari keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mrsynth.gui.scene import Side


@dataclass(frozen=True)
class Preferences:
    """What the dock starts with.

    Attributes
    ----------
    device, precision : str
        ``auto`` or a name the engine knows.
    cache_mb : int
        How much memory the engine may keep for fast toggling.
    default_contrast : str
        What to tick when nothing of a new patient is missing; empty for nothing.
    live_preview : bool
        Whether switching an input redraws the slice that is shown.
    convention : str
        ``radiological``, ``neurological`` or ``unchanged``: how a patient is first shown.
    """

    device: str = "auto"
    precision: str = "auto"
    cache_mb: int = 1024
    default_contrast: str = ""
    live_preview: bool = True
    convention: str = "radiological"

    @property
    def side(self) -> Side | None:
        """The convention to show a patient in; None to leave the camera as it is."""
        sides: dict[str, Side] = {"radiological": "radiological", "neurological": "neurological"}
        return sides.get(self.convention)


def preferences() -> Preferences:
    """Return the preferences; the defaults where the plugin is not registered with napari."""
    from napari.settings import get_plugin_settings

    try:
        settings: Any = get_plugin_settings("napari-mrsynth")
        kept = settings.synthesis
    except (KeyError, AttributeError, ValueError):
        return Preferences()
    defaults = Preferences()
    return Preferences(**{name: getattr(kept, name, getattr(defaults, name)) for name in vars(defaults)})
