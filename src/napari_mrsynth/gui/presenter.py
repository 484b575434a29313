"""Carries signals between the dock's pieces, the session and the viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.adapter import ViewerAdapter
from napari_mrsynth.gui.arrival import Arrival
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.intake import Intake
from napari_mrsynth.gui.live_preview import LivePreview
from napari_mrsynth.gui.preferences import preferences
from napari_mrsynth.gui.widgets.card_dialog import CardDialog
from napari_mrsynth.gui.widgets.contrast_row import THUMBNAIL
from napari_mrsynth.gui.widgets.thumbnail import thumbnail
from napari_mrsynth.session import Choices, State, Status, SynthesisSession

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.dock import SynthesisDock
    from napari_mrsynth.gui.questions import Questions
    from napari_mrsynth.imaging.study import Study
    from napari_mrsynth.synthesis import Result


class Presenter:
    """Makes the dock work.

    Parameters
    ----------
    dock : SynthesisDock
        The pieces.
    viewer : napari.components.ViewerModel
    session : SynthesisSession or None
        None for one with worker threads and the user's preferences.
    questions : Questions
    """

    def __init__(
        self,
        dock: SynthesisDock,
        viewer: ViewerModel,
        session: SynthesisSession | None,
        questions: Questions,
    ) -> None:
        self._dock = dock
        self._viewer = viewer
        self._questions = questions
        self._preferences = preferences()
        self.adapter = ViewerAdapter(viewer)
        self.session = session or SynthesisSession(
            QtExecutor(),
            choices=Choices(device=self._preferences.device, precision=self._preferences.precision),
            cache_bytes=self._preferences.cache_mb * 2**20,
            default_contrast=self._preferences.default_contrast,
        )
        self._intake = Intake(viewer, self.adapter, self.session, questions)
        self._live = LivePreview(dock, self.session, self.adapter)
        self._arrival = Arrival(self._show_rows)
        self._listening = Connections()

    # ------------------------------------------------------------------ wiring

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        dock, session = self._dock, self.session
        self._connect_user()
        listen = self._listening.make
        listen(self._show_study, session.study_changed)
        listen(self._show_choices, session.choice_changed)
        listen(self._show_status, session.status_changed)
        listen(self._show_planes, session.planes_made)
        listen(self.adapter.drop_previews, session.previews_dropped)
        listen(self._show_result, session.synthesised)
        listen(self._tell_of_edit, self.adapter.let_go)
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        listen(self._follow_viewer, dims.order, dims.ndisplay, dims.point, camera.orientation)
        dock.run.live.setChecked(self._preferences.live_preview)
        self._show_study()
        self._show_choices()
        self._show_status(session.status)
        self._follow_viewer()

    def disconnect(self) -> None:
        """Let go of viewer and session and stop what is running; the dock's pieces are gone by now."""
        self._listening.cut()
        self._arrival.forget()
        self.session.cancel()
        self.session.forget_preview()
        self.adapter.leave()

    def _connect_user(self) -> None:
        dock, session = self._dock, self.session
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (dock.load.folder_asked, self._intake.open_folder),
            (dock.load.files_asked, self._intake.open_files),
            (dock.load.layers_chosen, self._intake.add_layers),
            (dock.load.mask_chosen, self._intake.use_mask),
            (dock.load.sample_chosen, self._intake.open_sample),
            (dock.close_patient.clicked, lambda _=False: self._intake.close()),
            (dock.table.switched, self._switch),
            (dock.table.renamed, session.rename),
            (dock.table.align_asked, lambda contrast: session.align([contrast])),
            (dock.table.undo_asked, session.undo_alignment),
            (dock.table.reference_asked, session.refer_to),
            (dock.table.removal_asked, self._intake.remove),
            (dock.table.layer_asked, self._show_layer),
            (dock.make.ticked, self._want),
            (dock.model.model_chosen, self._use_model),
            (dock.model.device_chosen, session.use_device),
            (dock.model.precision_chosen, session.use_precision),
            (dock.model.source_map_chosen, session.map_sources),
            (dock.run.run_asked, self._synthesise),
            (dock.run.cancel_asked, session.cancel),
            (dock.run.save_asked, self._save),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        dock.load.layers_wanted.connect(self._offer_layers)
        dock.model.card_asked.connect(self._show_card)
        dock.run.live_chosen.connect(self._live.switch)
        dock.view.plane_chosen.connect(self._look_at)
        dock.view.side_chosen.connect(self._show_side)

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock."""
        try:
            act(*given)
        except MrsynthError as error:
            self.session.report(error)
            self._show_study()
            self._show_choices()

    # ------------------------------------------------------------------ what the user does

    def open(self, paths: Sequence[Path]) -> None:
        """Open files or folders, after asking about results that would be lost."""
        self._tell(self._intake.open, paths)

    def _offer_layers(self) -> None:
        self._dock.load.offer_layers(self._intake.scans, self._intake.masks)

    def _switch(self, contrast: str, on: bool) -> None:
        self.session.switch(contrast, on)
        self._live.begin()

    def _want(self, contrast: str, yes: bool) -> None:
        self.session.want(contrast, yes)
        self._live.begin()

    def _use_model(self, bundle: str) -> None:
        self.session.use_model(bundle)
        self._live.begin_again()

    def _synthesise(self) -> None:
        self._live.stop()
        study = self.session.study
        self.session.synthesise(None if study is None else self.adapter.displayed_slice(study))

    def _save(self) -> None:
        folder = self._questions.folder("Save the synthetic images into a folder")
        if folder is None:
            return
        existing = [path.name for path in self.session.targets(folder).values() if path.exists()]
        text = f"{', '.join(existing)} is already in {folder}."
        if existing and not self._questions.confirm("Overwrite?", text, "Overwrite"):
            return
        self.session.save(folder, overwrite=bool(existing))

    def _show_layer(self, contrast: str) -> None:
        if self.adapter.layer_of(contrast) is None:
            self.adapter.show_study(self.session.study, self.session.patient)
        self.adapter.select(contrast)

    def _show_card(self) -> None:
        card = self.session.card
        if card is not None:
            CardDialog(card, self._dock).show()

    def _look_at(self, plane: scene.Plane) -> None:
        scene.look_at(self._viewer, plane)
        scene.letter_sides(self._viewer)

    def _show_side(self, side: scene.Side) -> None:
        scene.show_side(self._viewer, side)
        scene.letter_sides(self._viewer)

    # ------------------------------------------------------------------ what the session says

    def _show_study(self) -> None:
        study, dock = self.session.study, self._dock
        self.finish_layers()
        self._live.rest()
        side = self._preferences.side
        if study is not None and not self._viewer.layers and side is not None:
            scene.show_side(self._viewer, side)
        arriving = self._arriving(study, self.session.patient)
        self._arrival.begin(arriving, at_once=not self.session.asynchronous)
        dock.patient.setText("Synthesis" if study is None else study.name)
        dock.close_patient.setVisible(study is not None)
        notes = () if study is None else study.notes
        dock.notes.setVisible(bool(notes))
        dock.notes.setText(f"{len(notes)} note{'s' if len(notes) != 1 else ''}")
        dock.notes.setToolTip("\n".join(f"• {note}" for note in notes))

    def finish_layers(self) -> None:
        """Show all layers that are still to come, now."""
        self._arrival.finish()

    def _arriving(self, study: Study | None, patient: int) -> Iterator[None]:
        yield from self.adapter.showing(study, patient)
        scene.letter_sides(self._viewer)
        yield

    def _show_rows(self) -> None:
        study = self.session.study
        rows = self.session.rows
        pictures = (
            {} if study is None else {c: thumbnail(study.volume(c), THUMBNAIL) for c in study.contrasts}
        )
        layers = {row.contrast: self.adapter.layer_of(row.contrast) for row in rows}
        self._dock.table.show_rows(
            rows, pictures, {contrast: layer.name for contrast, layer in layers.items() if layer is not None}
        )

    def _show_choices(self) -> None:
        self._show_rows()
        self._dock.make.show_rows(self.session.make_rows)
        models = self.session.store.synthesisers()
        self._dock.model.show_models(models, self.session.choices, self.session.card)

    def _show_status(self, status: Status) -> None:
        dock = self._dock
        busy = status.state is State.BUSY
        for piece in (dock.load, dock.table, dock.make, dock.model, dock.close_patient):
            piece.setEnabled(not busy)
        dock.run.live.setEnabled(not busy)
        dock.run.show_status(
            status,
            why_not=None if busy else self.session.why_not(),
            can_save=self.session.result is not None,
        )
        dock.model.show_device(self.session.device_in_words)

    def _show_planes(self, planes: Any) -> None:
        if self.session.study is not None:
            self.adapter.show_planes(self.session.study, planes)
            self._dock.model.show_device(self.session.device_in_words)

    def _show_result(self, result: Result) -> None:
        self.finish_layers()
        if self.session.study is not None:
            keep = self._dock.model.keep_earlier.isChecked()
            self.adapter.show_result(self.session.study, result, keep_earlier=keep)

    # ------------------------------------------------------------------ what the viewer says

    def _tell_of_edit(self, contrast: str, layer: Layer) -> None:
        """Say that a layer's voxels were replaced, and that the session works on as if they were not."""
        if marking.is_synthetic(layer):
            kept = "Save writes the result as it was made"
            hint = "To save the new voxels, save the layer with File > Save."
        else:
            kept = f"what is synthesised is the {contrast} as it was read"
            hint = f"To use the new voxels, add the layer “{layer.name}” to the study."
        self.session.report(
            MrsynthError(f"Other voxels were put into the layer of {contrast}; {kept}.", hint=hint)
        )
        self._show_study()

    def _follow_viewer(self, event: Any = None) -> None:
        plane = scene.plane_of(self._viewer)
        self._dock.view.show_view(plane, scene.side_of(self._viewer))
        live = "Live preview of the displayed slice"
        axial = plane in (scene.Plane.AXIAL, None)
        self._dock.run.live.setText(live if axial else "Live preview (in the axial view)")
        self._live.follow()
