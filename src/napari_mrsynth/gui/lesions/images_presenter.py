"""Carries signals between the dock's part “Make images”, what makes them, and the viewer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.layer_data import image_of
from napari_mrsynth.gui.lesions.image_layers import ImageLayers
from napari_mrsynth.gui.lesions.images import Made, Planes, dice_in_words
from napari_mrsynth.gui.lesions.whose import of_one_patient
from napari_mrsynth.imaging.volume import LabelVolume, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.lesions.images import LesionImages
    from napari_mrsynth.gui.lesions.images_panel import ImagesPanel
    from napari_mrsynth.gui.lesions.presenter import LesionPresenter
    from napari_mrsynth.gui.structure.questions import StructureQuestions

DELAY_MS = 30
"""Strokes and moves through the slices that come within this time make one slice."""

OUTLINE = 1


class ImagesPresenter:
    """Makes the part work.

    Parameters
    ----------
    panel : ImagesPanel
    viewer : napari.components.ViewerModel
    images : LesionImages
    painter : LesionPresenter
        Of the dock that the panel is part of.
    questions : StructureQuestions
    """

    def __init__(
        self,
        panel: ImagesPanel,
        viewer: ViewerModel,
        images: LesionImages,
        painter: LesionPresenter,
        questions: StructureQuestions,
    ) -> None:
        self._panel, self._viewer, self.images = panel, viewer, images
        self._painter, self._questions = painter, questions
        self.layers = ImageLayers(viewer)
        self._own: Layer | None = None
        self._own_for: Volume | None = None
        self._looked_at: Volume | None = None
        self._following = False
        self._listening = Connections()
        self._seen: tuple[int, bytes] | None = None
        self._soon = QTimer(panel)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self.preview)

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        panel, images, session = self._panel, self.images, self.images.session
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (panel.ticked, images.want),
            (panel.own_chosen, self._choose_own),
            (panel.draw_asked, images.draw),
            (panel.make_asked, self._make),
            (panel.save_asked, self._save),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        panel.live_chosen.connect(self._follow_brush)
        listen = self._listening.make
        listen(self._show, images.changed, session.status_changed, self._painter.painted)
        listen(self._begin_again, images.changed)
        listen(self._show_planes, images.planes_made)
        listen(self._show_made, images.made)
        listen(self._show_drawn, images.drawn)
        listen(self._look, session.choice_changed)
        listen(self._follow_stroke, self._painter.touched)
        listen(self._settle_dice, self._painter.painted)
        dims, layers = self._viewer.dims.events, self._viewer.layers.events
        listen(self._begin, dims.point, dims.order, dims.ndisplay)
        listen(self._show, layers.inserted, layers.removed)
        self._look()

    def disconnect(self) -> None:
        """Let go of viewer and session; the panel's pieces are gone by now."""
        self._listening.cut()
        self.images.forget_preview()
        self.layers.drop_previews()

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock."""
        try:
            act(*given)
        except MrsynthError as error:
            self.images.session.report(error)
            self._show()

    # ------------------------------------------------------------------ what the user does

    def _choose_own(self, name: str) -> None:
        image = image_of(self._viewer.layers[name]) if name else None
        self._own = self._viewer.layers[name] if isinstance(image, LabelVolume) else None
        self._own_for = self.images.session.volume
        self.images.leave_out(image if isinstance(image, LabelVolume) else None)

    def _forget_own_of_others(self) -> None:
        """Keep the own lesions for another scan of the same patient only."""
        volume, before = self.images.session.volume, self._own_for
        if volume is before:
            return
        if before is None or (volume is not None and of_one_patient(before, volume)):
            self._own_for = volume
        elif self._own is not None:
            self._own = self._own_for = None
            self.images.leave_out(None)

    def _make(self) -> None:
        labels = self._painter.layers.painted_labels()
        volume = self.images.session.volume
        if labels is None or volume is None:
            return
        self._soon.stop()
        real = self.layers.real_scans(volume) if self._panel.into.isChecked() else {}
        into = {name: scan for name, scan in real.items() if name in self.images.wanted}
        self.images.make(labels, self._shown(), healthy=self._panel.twin.isChecked(), into=into)

    def _save(self) -> None:
        made = self.images.result
        if made is None:
            return
        folder = self._questions.folder(
            f"Save the images made of {made.generated.anatomy.name} into a folder"
        )
        if folder is None:
            return
        existing = self.images.existing(folder)
        text = f"{', '.join(existing[:3])}{' …' if len(existing) > 3 else ''} is already in {folder}."
        if existing and not self._questions.confirm("Overwrite?", text, "Overwrite"):
            return
        self.images.save(folder, overwrite=bool(existing))

    # ------------------------------------------------------------------ the live slice

    def _follow_stroke(self) -> None:
        """Begin again where the displayed slice of the labels has changed, and not only been drawn anew."""
        labels, shown = self._painter.layers.painted_labels(), self._shown()
        if labels is None or shown is None:
            return
        seen, self._seen = self._seen, (shown, labels.display[shown].tobytes())
        if seen is None or (seen[0] == shown and seen != self._seen):
            self._begin_again()

    def _follow_brush(self, on: bool) -> None:
        layer = self._painter.layers.painted
        if layer is not None:
            layer.contour = OUTLINE if on else 0
        if on:
            self._begin_again()
        else:
            self._following = False
            self._soon.stop()
            self.images.forget_preview()
            self.layers.drop_previews()

    def _begin_again(self) -> None:
        """Follow brush and viewer from now on, if that is switched on."""
        self._following = self._panel.live.isChecked()
        self._begin()

    def _begin(self, event: object = None) -> None:
        """Ask for the displayed slice in a moment; what was made as a whole is not covered by it."""
        if self._following and not self.images.session.busy:
            self._soon.start()

    def preview(self) -> None:
        """Make the displayed slice of what is painted now, if one is shown."""
        labels, shown = self._painter.layers.painted_labels(), self._shown()
        layer = self._painter.layers.painted
        if layer is not None and labels is not None and layer.contour != OUTLINE:
            layer.contour = OUTLINE
        if labels is not None and shown is not None:
            self.images.preview(labels, shown)

    def _shown(self) -> int | None:
        volume = self.images.session.volume
        return None if volume is None else scene.slice_on(self._viewer, volume.grid)

    # ------------------------------------------------------------------ what is shown

    def _look(self) -> None:
        volume = self.images.session.volume
        if volume is not self._looked_at:  # no slice of one patient lies over another
            self._looked_at = volume
            self.images.forget_preview()
            self.layers.drop_previews()
        self._forget_own_of_others()
        self.images.look_for_models()
        if not self._painter.layers.is_painting:
            self._panel.show_dice("")
        self._show()

    def _show(self, event: object = None) -> None:
        images, session = self.images, self.images.session
        if self._own is not None and self._own not in self._viewer.layers and not session.busy:
            self._own = None
            images.own = None
        painted = self._painter.layers.painted
        labels = [layer.name for layer in self._painter.layers.labels if layer is not painted]
        self._panel.show_contrasts(images.contrasts, images.wanted)
        self._panel.show_own(labels, self._own.name if self._own is not None else "")
        real = self.layers.real_scans(session.volume)
        self._panel.show_state(
            models=images.models_in_words,
            why_not=images.why_not(painting=self._painter.layers.is_painting),
            busy=session.busy,
            can_draw=bool(images.contrasts),
            can_save=images.result is not None,
            real=", ".join(name for name in images.wanted if name in real),
        )

    @property
    def _front(self) -> str | None:
        volume = self.images.session.volume
        return volume.contrast if volume is not None else None

    def _show_planes(self, planes: Planes) -> None:
        volume = self.images.session.volume
        if volume is not None:
            self.layers.show_planes(volume.grid, planes, self._front)

    def _show_made(self, made: Made) -> None:
        self._following = False
        self._soon.stop()
        self.layers.show_made(made, self._front)
        layer = self._painter.layers.painted
        if layer is not None:
            layer.contour = OUTLINE
        self.images.session.put_away()
        self._panel.show_dice(dice_in_words(made))

    def _settle_dice(self, labels: LabelVolume) -> None:
        """Show the segmenter's answer only as long as it is about the labels that are painted."""
        made = self.images.result
        self._panel.show_dice(dice_in_words(made) if made is not None and made.shows(labels) else "")

    def _show_drawn(self, scan: Volume) -> None:
        self._painter.adopt(scan, self.images.brain_of(scan))
