"""The live preview: the displayed slice, made again a moment after what it depends on has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari_mrsynth.gui.adapter import ViewerAdapter
    from napari_mrsynth.gui.dock import SynthesisDock
    from napari_mrsynth.session import SynthesisSession

DELAY_MS = 60


class LivePreview:
    """Asks for previews, one for all changes that come within a moment.

    Invariant: it follows the viewer from the first change of an input until a synthesis starts, another
    study is shown or it is switched off.

    Parameters
    ----------
    dock : SynthesisDock
        Has the switch.
    session : SynthesisSession
        Makes the previews.
    adapter : ViewerAdapter
        Knows which slice is displayed.
    """

    def __init__(self, dock: SynthesisDock, session: SynthesisSession, adapter: ViewerAdapter) -> None:
        self._dock = dock
        self._session = session
        self._adapter = adapter
        self._following = False
        self._soon = QTimer(dock)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self._preview)

    def switch(self, on: bool) -> None:
        """Begin now, if there is a study, or stop and take the previews off the viewer."""
        if on and self._session.study is not None:
            self.begin()
        elif not on:
            self.stop()
            self._adapter.drop_previews()

    def begin(self) -> None:
        """Ask for a preview in a moment, and follow the viewer from now on, if it is switched on."""
        self._following = self._dock.run.live.isChecked()
        if self._following:
            self._soon.start()

    def begin_again(self) -> None:
        """Ask for another preview in a moment, if the viewer is being followed."""
        if self._following:
            self.begin()

    def follow(self) -> None:
        """Ask for a preview of what the viewer shows now, if it is being followed and no job is running."""
        if self._following and not self._session.busy:
            self._soon.start()

    def rest(self) -> None:
        """Follow the viewer no more; a preview that was asked for still comes."""
        self._following = False

    def stop(self) -> None:
        """Follow the viewer no more, and ask for nothing."""
        self._following = False
        self._soon.stop()

    def _preview(self) -> None:
        study = self._session.study
        shown = None if study is None else self._adapter.displayed_slice(study)
        if shown is None:
            self._adapter.drop_previews()
        else:
            self._session.preview(shown)
