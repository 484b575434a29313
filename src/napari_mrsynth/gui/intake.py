"""How a patient comes in: from files, a sample or layers, and not at the cost of results nobody has saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_mrsynth.gui.incoming import as_labels, image_from_layer, looking_at
from napari_mrsynth.imaging.volume import LabelVolume, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.adapter import ViewerAdapter
    from napari_mrsynth.gui.questions import Questions
    from napari_mrsynth.session import SynthesisSession


class Intake:
    """Asks what is to be opened, added or closed, and tells the session.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where layers come from.
    adapter : ViewerAdapter
        Knows which layers are the study's.
    session : SynthesisSession
    questions : Questions
    """

    def __init__(
        self, viewer: ViewerModel, adapter: ViewerAdapter, session: SynthesisSession, questions: Questions
    ) -> None:
        self._viewer = viewer
        self._adapter = adapter
        self._session = session
        self._questions = questions

    def open(self, paths: Sequence[Path]) -> None:
        """Open files or folders, after asking about results that would be lost."""
        if paths and self._may_drop_results():
            self._session.open(paths)

    def open_folder(self) -> None:
        """Ask for a patient's folder and open it."""
        folder = self._questions.folder("Open a patient's folder")
        self.open([folder] if folder else [])

    def open_files(self) -> None:
        """Ask for a patient's files and open them."""
        self.open(list(self._questions.files("Open a patient's files")))

    def open_sample(self, name: str) -> None:
        """Open a sample patient by its id, after asking about results that would be lost."""
        if self._may_drop_results():
            self._session.open_sample(name)

    def close(self) -> None:
        """Close the patient, after asking about results that would be lost."""
        if self._may_drop_results():
            self._session.close()

    def remove(self, contrast: str) -> None:
        """Take a contrast out of the study; the last one is the patient, who is closed as ever."""
        study = self._session.study
        if study is not None and study.contrasts == (contrast,):
            self.close()
        else:
            self._session.remove(contrast)

    @property
    def scans(self) -> list[str]:
        """The names of the layers that can be added to the study."""
        return [layer.name for layer in self._adapter.spare_layers if not isinstance(layer, Labels)]

    @property
    def masks(self) -> list[str]:
        """The names of the layers that can be the study's brain mask; none without a study."""
        if self._session.study is None:
            return []
        return [layer.name for layer in self._adapter.spare_layers if isinstance(layer, Labels)]

    def add_layers(self, names: Sequence[str]) -> None:
        """Add layers to the study, after asking about scans that they would replace, or make one of them."""
        images = [self._image_of(name) for name in names]
        volumes = [image for image in images if isinstance(image, Volume)]
        here = () if self._session.study is None else self._session.study.contrasts
        twice = [volume.contrast for volume in volumes if volume.contrast in here]
        if volumes and (not twice or self._may_replace(twice)):
            self._session.add(volumes, instead=bool(twice))

    def use_mask(self, name: str) -> None:
        """Use a labels layer as the brain mask, also what is painted on it later."""
        look = looking_at(self._viewer.layers[name], self._session.study, self._questions)
        if look is not None:
            self._session.use_mask(lambda: as_labels(look()))

    def _image_of(self, name: str) -> Volume | LabelVolume | None:
        layer = self._viewer.layers[name]
        image = image_from_layer(layer, self._session.study, self._questions)
        if image is not None:
            self._adapter.lend(image, layer)
        return image

    def _may_replace(self, contrasts: Sequence[str]) -> bool:
        what = ", ".join(contrasts)
        text = f"{what} is already here. The layer takes the place of the scan that was read."
        return self._questions.confirm(f"Replace {what}?", text, "Replace")

    def _may_drop_results(self) -> bool:
        if not self._session.unsaved:
            return True
        made = self._session.unsaved_in_words
        text = f"What has not been saved goes when this patient is closed: the synthetic {made}."
        return self._questions.confirm("Close this patient?", text, "Close without saving")
