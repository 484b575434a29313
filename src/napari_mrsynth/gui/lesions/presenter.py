"""Carries signals between the “Lesion studio” dock, its session and the viewer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.layer_data import image_of, layer_tuple
from napari_mrsynth.gui.lesions.image_layers import insert_under_labels
from napari_mrsynth.gui.lesions.layers import LesionLayers
from napari_mrsynth.gui.lesions.session import LesionSession
from napari_mrsynth.gui.lesions.situation import Ghost, Measured
from napari_mrsynth.gui.preferences import preferences
from napari_mrsynth.imaging.study import BrainMask
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.session import State, Status

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.lesions.dock import LesionDock
    from napari_mrsynth.gui.structure.questions import StructureQuestions
    from napari_mrsynth.lesions import PlacedLesion

DELAY_MS = 500
"""Strokes and undone strokes that come within this time are measured once; a live slice comes first."""

REMOVE = "remove"


class LesionPresenter:
    """Makes the dock work.

    `touched` is emitted at every stroke, stamp and undo at once, and whenever else the layer is drawn anew;
    `painted` with the labels a moment later, once for several.

    Parameters
    ----------
    dock : LesionDock
    viewer : napari.components.ViewerModel
    session : LesionSession or None
        None for one with worker threads.
    questions : StructureQuestions
    """

    painted: ClassVar[Signal] = Signal(LabelVolume)
    touched: ClassVar[Signal] = Signal()

    def __init__(
        self,
        dock: LesionDock,
        viewer: ViewerModel,
        session: LesionSession | None,
        questions: StructureQuestions,
    ) -> None:
        self._dock = dock
        self._viewer = viewer
        self._questions = questions
        self.layers = LesionLayers(viewer)
        self.session = session or LesionSession(QtExecutor())
        self._scan: Layer | None = None
        self.brain_of: Callable[[Volume], BrainMask | None] = lambda _: None
        self._tool = "pan_zoom"
        self._stop_clicks: Callable[[], None] | None = None
        self._listening = Connections()
        self._soon = QTimer(dock)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self._measure)

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        paint, stamp, run, session = self._dock.paint, self._dock.stamp, self._dock.run, self.session
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (paint.scan_chosen, self._choose_scan),
            (paint.disease_chosen, self._use_disease),
            (paint.begin_asked, self._begin),
            (paint.tool_chosen, self._use_tool),
            (paint.clear_asked, self.layers.erase_all),
            (stamp.library_asked, self._open_library),
            (stamp.shape_chosen, lambda name: session.take(name) if name else None),
            (stamp.part_chosen, session.take_part),
            (stamp.scale_chosen, lambda value: session.move(scale=value)),
            (stamp.rotation_chosen, lambda value: session.move(rotation_deg=value)),
            (stamp.mirror_chosen, lambda value: session.move(mirror=value)),
            (stamp.random_asked, lambda seed, single: session.draw(seed, single=single)),
            (run.run_asked, self._stamp),
            (run.cancel_asked, session.cancel),
            (run.save_asked, self._save),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        paint.class_chosen.connect(self._use_class)
        paint.brush_chosen.connect(lambda mm, solid: self.layers.use_brush(mm, solid=solid))
        listen = self._listening.make
        listen(self._show_choices, session.choice_changed)
        listen(self._show_status, session.status_changed)
        listen(self._show_ghost, session.ghost_changed)
        listen(self._paint_on, session.labels_ready)
        listen(self._lay_down, session.stamped)
        listen(self._show_measured, session.measured)
        layers = self._viewer.layers.events
        listen(self._look_for_layers, layers.inserted, layers.removed, layers.renamed)
        self._stop_clicks = self.layers.on_click(self._clicked)
        paint.show_classes(session.classes)
        self._show_status(session.status)
        self._look_for_layers()

    def disconnect(self) -> None:
        """Let go of viewer and session and stop what is running; the dock's pieces are gone by now."""
        self._listening.cut()
        if self._stop_clicks is not None:
            self._stop_clicks()
        self._unwatch()
        self.session.let_go()
        self.layers.drop_ghost()

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock."""
        try:
            act(*given)
        except MrsynthError as error:
            self.session.report(error)
            self._show_choices()

    # ------------------------------------------------------------------ what the user does

    def _choose_scan(self, name: str) -> None:
        self.session.refuse_while_busy("choose another scan")
        image = image_of(self._viewer.layers[name]) if name else None
        self._scan = self._viewer.layers[name] if name else None
        self._stop_painting()
        scan = image if isinstance(image, Volume) else None
        if scan is not None and self.session.volume is None:
            scene.stand_upright(self._viewer, preferences().side)
        self.session.choose(scan, self.brain_of(scan) if scan is not None else None)

    def adopt(self, scan: Volume, brain: BrainMask | None) -> None:
        """Show a scan whose brain is known, and paint into it from now on."""
        data, attributes, _ = layer_tuple(scan, name=scan.name)
        for layer in self.layers.scans:
            layer.visible = False
        self._scan = Image(data, **attributes)
        insert_under_labels(self._viewer, self._scan)
        scene.stand_upright(self._viewer, preferences().side)
        self._viewer.reset_view(layers=[self._scan])
        self._stop_painting()
        self.session.choose(scan, brain)

    def _use_disease(self, identity: str) -> None:
        self.session.refuse_while_busy("choose another disease")
        self._stop_painting()
        self.session.use_disease(identity)
        self._dock.paint.show_classes(self.session.classes)
        self._show_state()

    def _begin(self, name: str) -> None:
        image = image_of(self._viewer.layers[name]) if name else None
        self.session.begin(image if isinstance(image, LabelVolume) else None)

    def _use_tool(self, tool: str) -> None:
        self._tool = tool
        self.layers.use_tool("pan_zoom" if tool == REMOVE else tool)
        self._show_state()

    def _use_class(self, value: int) -> None:
        self.layers.use_class(value)
        if self._tool not in ("paint", "fill"):
            self._use_tool("paint")

    def _open_library(self) -> None:
        folder = self._questions.folder("Open a folder of lesion maps")
        if folder is not None:
            self.session.open_library(Path(folder))

    def _stamp(self) -> None:
        if not self.layers.is_painting:
            raise InputError("There are no labels to stamp on.", hint="Press Start painting first.")
        self.session.stamp()

    def _clicked(self, position: tuple[float, ...]) -> None:
        volume = self.session.volume
        if volume is None or self._viewer.dims.ndisplay != 2:
            return
        if self._tool == REMOVE:
            self.layers.erase_lesion(position)
        elif self._tool == "pan_zoom" and self.session.shape is not None:
            self._tell(lambda: self.session.move(centre_mm=self.layers.point_mm(volume.grid, position)))

    def _save(self) -> None:
        labels = self.layers.painted_labels()
        if labels is None:
            return
        name = f"{labels.name.replace(' ', '_')}_seg.nii.gz"
        target = self._questions.target("Save the painted labels", name)
        if target is not None:
            self.session.save(labels, target)

    # ------------------------------------------------------------------ painting

    def _paint_on(self, labels: LabelVolume) -> None:
        self._stop_painting()
        layer = self.layers.paint_on(labels, self.session.classes)
        diameter, solid = self._dock.paint.brush
        self.layers.use_brush(diameter, solid=solid)
        for event in (layer.events.paint, layer.events.set_data, layer.events.labels_update):
            event.connect(self._soon_measure)
        for event in (layer.events.mode, layer.events.selected_label):
            event.connect(self._follow_layer)
        self._use_tool("paint")
        self._soon_measure()

    def _stop_painting(self) -> None:
        self._unwatch()
        self.layers.painted = None
        self._dock.paint.show_volumes({}, 0.0)
        self._show_state()

    def _unwatch(self) -> None:
        layer = self.layers.painted
        if layer is not None:
            for event in (layer.events.paint, layer.events.set_data, layer.events.labels_update):
                event.disconnect(self._soon_measure)
            for event in (layer.events.mode, layer.events.selected_label):
                event.disconnect(self._follow_layer)

    def _lay_down(self, lesion: PlacedLesion) -> None:
        self.layers.stamp(lesion)
        self._soon_measure()

    def _soon_measure(self, event: object = None) -> None:
        self.touched.emit()
        self._soon.start()

    def _measure(self) -> None:
        labels = self.layers.painted_labels()
        if labels is not None:
            self.painted.emit(labels)
            self.session.measure(labels)

    def _show_measured(self, measured: Measured) -> None:
        self._dock.paint.show_volumes(measured.volumes_ml, measured.outside_ml)

    def _follow_layer(self, event: object = None) -> None:
        """Show tool and class when they were changed in napari's own controls."""
        layer = self.layers.painted
        if layer is not None and not (self._tool == REMOVE and layer.mode == "pan_zoom"):
            self._tool = str(layer.mode)
        self._show_state()

    # ------------------------------------------------------------------ what the session says

    def _show_choices(self) -> None:
        session, layers = self.session, self.layers
        self._dock.paint.offer(
            [layer.name for layer in layers.scans],
            [layer.name for layer in layers.labels],
            self._scan.name if self._scan is not None and session.volume is not None else "",
        )
        library, lesion = session.library, session.lesion
        self._dock.stamp.show_library(
            library.folder.name if library else "",
            library.names if library else (),
            lesion.name if lesion else "",
        )
        self._dock.stamp.show_parts(lesion, session.part)
        self._dock.stamp.show_placement(session.placement)
        if session.volume is not None:
            scene.letter_sides(self._viewer)
        self._show_state()

    def _show_state(self) -> None:
        session, layer = self.session, self.layers.painted
        ready = session.brain is not None and not session.busy
        self._dock.paint.show_state(
            can_choose=not session.busy,
            can_begin=ready,
            painting=layer is not None and self.layers.is_painting,
            tool=self._tool,
            value=int(layer.selected_label) if layer is not None else 0,
        )
        self._dock.stamp.show_state(
            can_open=not session.busy,
            has_library=ready and session.library is not None,
            has_shape=ready and session.shape is not None,
        )
        self._show_run()

    def _show_status(self, status: Status) -> None:
        self._show_state()

    def _show_run(self) -> None:
        session = self.session
        why_not = None
        if session.ghost is None and session.shape is not None:
            why_not = Status(State.BLOCKED, "Click where the lesion should lie.")
        elif session.ghost is None:
            why_not = Status(State.BLOCKED, "Choose a lesion of a library, or draw a random one.")
        elif session.ghost.refusal is not None:
            why_not = Status(State.BLOCKED, session.ghost.refusal.message, session.ghost.refusal.hint)
        elif not self.layers.is_painting:
            why_not = Status(State.BLOCKED, "Press Start painting first.")
        run = self._dock.run
        run.show_status(session.status, why_not=why_not, can_save=self.layers.is_painting)
        if why_not is None:
            run.run.setToolTip("Lay the lesion over the painted labels; Ctrl+Z takes it away again")

    def _show_ghost(self, ghost: Ghost | None) -> None:
        if ghost is None:
            self.layers.show_ghost(None, self.session.classes, fits=False)
            self._show_run()
            return
        self.layers.show_ghost(ghost.placed, self.session.classes, fits=ghost.refusal is None)
        placement = self.session.placement
        if placement is not None and self._tool != "pan_zoom":
            self._use_tool("pan_zoom")  # so that a click moves the lesion
        if placement is not None and not self.layers.in_sight(ghost.placed):
            self.layers.show_place(ghost.placed.grid, placement.centre_mm)

    # ------------------------------------------------------------------ what the viewer says

    def _look_for_layers(self, event: object = None) -> None:
        if self._scan is not None and self._scan not in self._viewer.layers and not self.session.busy:
            self._choose_scan("")
        elif self.layers.painted is not None and not self.layers.is_painting:
            self._stop_painting()
        self._show_choices()
