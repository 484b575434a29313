"""Carries signals between the “Structure maps” dock, its session and the viewer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.incoming import image_from_layer
from napari_mrsynth.gui.layer_data import image_of
from napari_mrsynth.gui.preferences import preferences
from napari_mrsynth.gui.structure.layers import StructureLayers
from napari_mrsynth.gui.structure.session import Plane, StructureSession
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.session import State, Status

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.structure.dock import StructureDock
    from napari_mrsynth.gui.structure.questions import StructureQuestions
    from napari_mrsynth.structure import StructureMap

DELAY_MS = 20
"""Changes that come within this time get one preview."""


class StructurePresenter:
    """Makes the dock work.

    Parameters
    ----------
    dock : StructureDock
    viewer : napari.components.ViewerModel
    session : StructureSession or None
        None for one with worker threads.
    questions : StructureQuestions
    """

    def __init__(
        self,
        dock: StructureDock,
        viewer: ViewerModel,
        session: StructureSession | None,
        questions: StructureQuestions,
    ) -> None:
        self._dock = dock
        self._viewer = viewer
        self._questions = questions
        self.layers = StructureLayers(viewer)
        self.session = session or StructureSession(QtExecutor())
        self._scan: Layer | None = None
        self._lesions: Layer | None = None
        self._following = False
        self._listening = Connections()
        self._soon = QTimer(dock)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self._preview)

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        panel, run, session = self._dock.panel, self._dock.run, self.session
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (panel.scan_chosen, self._choose_scan),
            (panel.lesions_chosen, self._choose_lesions),
            (panel.beta_chosen, lambda value: session.tune(beta=value)),
            (panel.blur_chosen, lambda value: session.tune(blur_mm=value)),
            (panel.expand_chosen, lambda value: session.tune(expand=value)),
            (panel.draw_asked, session.draw),
            (run.run_asked, session.keep),
            (run.cancel_asked, session.cancel),
            (run.save_asked, self._save),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        panel.brain_chosen.connect(self._begin)
        run.live_chosen.connect(self._begin)
        listen = self._listening.make
        listen(self._show_choices, session.choice_changed)
        listen(self._begin, session.choice_changed)
        listen(self._show_status, session.status_changed)
        listen(self._show_plane, session.plane_made)
        listen(self.layers.drop_previews, session.preview_failed)
        listen(self._show_map, session.map_made)
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        listen(self._follow, dims.point, dims.order, dims.ndisplay, camera.orientation)
        layers = self._viewer.layers.events
        listen(self._look_for_layers, layers.inserted, layers.removed, layers.renamed)
        run.live.setChecked(True)
        self._show_status(session.status)
        self._look_for_layers()
        self._follow()

    def disconnect(self) -> None:
        """Let go of viewer and session and stop what is running; the dock's pieces are gone by now."""
        self._listening.cut()
        self.session.cancel()
        self.session.forget_preview()
        self.layers.drop_previews()

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock."""
        try:
            act(*given)
        except MrsynthError as error:
            self.session.report(error)
            self._show_choices()

    # ------------------------------------------------------------------ what the user does

    def _choose_scan(self, name: str) -> None:
        image = self._image_of(name)
        if name and not isinstance(image, Volume):  # the user thought better of it
            self._show_choices()
            return
        self._scan = self._viewer.layers[name] if name else None
        self._lesions = None
        self.layers.drop_previews()
        if isinstance(image, Volume) and self.session.volume is None:
            scene.stand_upright(self._viewer, preferences().side)
        self.session.choose(image if isinstance(image, Volume) else None)

    def _choose_lesions(self, name: str) -> None:
        image = self._image_of(name)
        self.session.leave_out(image if isinstance(image, LabelVolume) else None)
        self._lesions = self._viewer.layers[name] if isinstance(image, LabelVolume) else None

    def _image_of(self, name: str) -> Volume | LabelVolume | None:
        return image_from_layer(self._viewer.layers[name], None, self._questions) if name else None

    def _save(self) -> None:
        made = self.session.made
        if made is None:
            return
        suggested = f"{made.structure.name.replace(' ', '_')}.nii.gz"
        target = self._questions.target("Save the structure map", suggested)
        if target is not None:
            self.session.save(target)

    # ------------------------------------------------------------------ previews

    def _begin(self, _: object = None) -> None:
        """Draw the preview in a moment, and follow the viewer from now on, where that is switched on."""
        self._following = self._dock.run.live.isChecked() and self.session.volume is not None
        if self._following:
            self._soon.start()
        else:
            self._rest()
            self.layers.drop_previews()

    def _rest(self) -> None:
        """Draw no preview until something is changed."""
        self._following = False
        self._soon.stop()
        self.session.forget_preview()
        self._dock.panel.show_share(None)

    def _preview(self) -> None:
        volume = self.session.volume
        shown = None if volume is None else self.layers.displayed_slice(volume)
        if shown is None:
            self.session.forget_preview()
            self.layers.hide_previews()
            self._dock.panel.show_share(None)
        else:
            self.session.preview(shown)

    def _show_plane(self, plane: Plane) -> None:
        self.layers.show_plane(plane, with_brain=self._dock.panel.brain.isChecked())
        self._dock.panel.show_share(plane.edge_share)

    # ------------------------------------------------------------------ what the session says

    def _show_choices(self) -> None:
        volume = self.session.volume
        scans = [layer.name for layer in self.layers.scans]
        labels = [layer.name for layer in self.layers.labels]
        lesions = self._lesions.name if self._lesions is not None and self.session.lesions is not None else ""
        self._dock.panel.offer(scans, labels, self._scan.name if self._scan is not None else "", lesions)
        self._dock.panel.show_settings(self.session.settings, volume.contrast if volume else None)
        if volume is not None:
            scene.letter_sides(self._viewer)

    def _show_status(self, status: Status) -> None:
        no_scan = Status(State.EMPTY, "Choose a scan first.") if self.session.volume is None else None
        self._dock.run.show_status(status, why_not=no_scan, can_save=self.session.made is not None)
        self._dock.panel.enable(status.state is not State.BUSY)
        self._dock.explain(can_keep=no_scan is None)

    def _show_map(self, made: StructureMap) -> None:
        self._rest()  # the kept map is not covered by its own preview
        kept = self.layers.keep(made, with_brain=self._dock.panel.brain.isChecked())
        if made.settings is None:  # one slice of its own, wherever the viewer was
            self.layers.go_to(made.structure.grid)
            self._viewer.layers.selection.active = kept

    # ------------------------------------------------------------------ what the viewer says

    def _follow(self, event: object = None) -> None:
        axial = scene.plane_of(self._viewer) in (scene.Plane.AXIAL, None)
        live = "Live preview of the displayed slice"
        self._dock.run.live.setText(live if axial else "Live preview (in the axial view)")
        if self._following:
            self._soon.start()

    def _look_for_layers(self, event: object = None) -> None:
        if self._scan is not None and self._scan not in self._viewer.layers and not self.session.busy:
            self._scan = self._lesions = None
            self.layers.drop_previews()
            self.session.choose(None)
        elif self._lesions is not None and self._lesions not in self._viewer.layers and not self.session.busy:
            self._lesions = None
            self.session.leave_out(None)
        if self.session.volume is None and not self.session.busy:
            self._adopt_first()
        self._show_choices()

    def _adopt_first(self) -> None:
        """Choose the selected layer, else the topmost visible one, of those that say where they lie."""
        known = [layer for layer in self.layers.scans if isinstance(image_of(layer), Volume)]
        active = self._viewer.layers.selection.active
        visible = [layer for layer in reversed(known) if layer.visible]
        chosen = active if active in known else next(iter(visible), None)
        if chosen is not None:
            self._choose_scan(chosen.name)
