"""The one class that touches the viewer: a study, its previews and its results shown as layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_mrsynth.gui import garbage, marking, scene
from napari_mrsynth.gui.held_voxels import HeldVoxels, read_only
from napari_mrsynth.gui.layer_data import Tag, edited, layer_tuple, limits, placed, scan_name, shows
from napari_mrsynth.gui.linking import link_limits, proportion
from napari_mrsynth.gui.source_map import SourceMap
from napari_mrsynth.gui.widgets.thumbnail import layer_thumbnail
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Source, Volume
from napari_mrsynth.session.rows import in_field_order

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.synthesis import Result


class ViewerAdapter:
    """Layers for what a session holds.

    Layers that this class adds are its own: it updates and removes them. A layer that was in the viewer
    before is adopted while it shows a contrast exactly as the study has it; its voxels are never replaced
    by resampled ones. Scans and results cannot be edited in their layers; a layer that was given other
    voxels is let go: it is the user's from then on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        A viewer, with or without a window.

    Attributes
    ----------
    let_go : Signal
        Emitted with a contrast and the layer that was given other voxels than its.
    """

    let_go = Signal(str, object)

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self._patient: int | None = None
        self._scans: dict[str, Layer] = {}
        self._results: dict[str, Layer] = {}
        self._previews: dict[str, Layer] = {}
        self._own: set[Layer] = set()
        self._edited: dict[str, Layer] = {}
        self._given_names: WeakKeyDictionary[Layer, str] = WeakKeyDictionary()
        self._held = HeldVoxels(self._let_go)
        self._lesions: Layer | None = None
        self._lesions_as_read: Any = None
        self._source_map = SourceMap()
        self._links: dict[str, Callable[[], None]] = {}
        self._lent: list[tuple[Any, Layer]] = []
        marking.watch(viewer)

    # ------------------------------------------------------------------ reading the viewer

    @property
    def spare_layers(self) -> list[Layer]:
        """The 3D image and label layers that are not part of the study."""
        mine = {*self._scans.values(), *self._own}
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image | Labels)
            and layer not in mine
            and layer.ndim == 3
            and not getattr(layer, "rgb", False)
            and not getattr(layer, "multiscale", False)
            and not marking.is_synthetic(layer)
        ]

    def layer_of(self, contrast: str) -> Layer | None:
        """Return the layer that shows a contrast of the study, while it is in the viewer."""
        layer = self._scans.get(contrast)
        return layer if layer is not None and layer in self.viewer.layers else None

    def result_of(self, contrast: str) -> Layer | None:
        """Return the layer of the last result for a contrast, while it is in the viewer."""
        layer = self._results.get(contrast)
        return layer if layer is not None and layer in self.viewer.layers else None

    def lend(self, image: Volume | LabelVolume, layer: Layer) -> None:
        """Remember that `layer` shows `image`, so that the study adopts it instead of adding another."""
        self._lent.append((image.array, layer))

    def displayed_slice(self, study: Study) -> int | None:
        """Return the axial slice (display order, on the study's grid) that is shown; None unless axial."""
        return scene.slice_on(self.viewer, study.grid)

    # ------------------------------------------------------------------ the study

    def show_study(self, study: Study | None, patient: int = 0) -> None:
        """Make the layers those of `study`: add what is new, update what changed, remove what has gone.

        Parameters
        ----------
        study : Study or None
        patient : int
            Which patient it is of. Nothing that belongs to another is left: neither scans, lesions and
            results, nor display limits; adopted layers stay, hidden.
        """
        for _ in self.showing(study, patient):
            pass

    def showing(self, study: Study | None, patient: int = 0) -> Iterator[None]:
        """Do what :meth:`show_study` does layer by layer: each step takes about a tenth of a second."""
        if study is not None and self._patient not in (None, patient):
            self._hide_users()
        if study is None or self._patient != patient:
            yield from self._forgetting()
        if study is None:
            return
        was_empty = self._patient is None
        self._patient = patient
        self._rekey(study)
        for contrast in [c for c in self._scans if c not in study.members]:
            self._drop(self._scans.pop(contrast))
        for contrast in reversed(in_field_order(study.contrasts)):
            shown = contrast == study.reference or not was_empty
            self._show_scan(study, contrast, visible=shown and contrast not in self._edited)
            if was_empty and len(self._scans) == 1:
                self._go_to_middle(study)
            yield
        self._show_lesions(study)
        self._lent.clear()
        yield

    def forget(self) -> None:
        """Remove every layer of the study, its previews and its results; adopted layers stay."""
        for _ in self._forgetting():
            pass

    def _forgetting(self) -> Iterator[None]:
        self.drop_previews()
        for unlink in self._links.values():
            unlink()
        self._links.clear()
        self._patient = None
        for layer in self._scans.values():
            if layer not in self._own:
                self._drop(layer)
        self._scans.clear()
        self._results.clear()
        self._edited.clear()
        self._keep_painted_lesions()
        self._lesions = self._lesions_as_read = None
        self._source_map = SourceMap()
        for layer in list(self._own):
            self._drop(layer)
            yield

    def leave(self) -> None:
        """Leave all layers but the previews to the user, who may edit them from now on."""
        self.drop_previews()
        self._held.release_all()

    def select(self, contrast: str) -> None:
        """Make a contrast's layer the selected, visible one."""
        layer = self.layer_of(contrast)
        if layer is not None:
            layer.visible = True
            self.viewer.layers.selection.active = layer

    # ------------------------------------------------------------------ previews

    def show_planes(self, study: Study, planes: Mapping[str, tuple[int, Any]]) -> None:
        """Show single axial slices, each as a layer one slice thick.

        Parameters
        ----------
        study : Study
        planes : mapping of str to (int, ndarray of shape (A, R))
            By contrast: which display slice of the study's grid, and its values.
        """
        for contrast in [c for c in self._previews if c not in planes]:
            self._drop(self._previews.pop(contrast))
        for contrast, (index, plane) in planes.items():
            place = placed(study.grid)
            height, *rest = place["translate"]
            place["translate"] = (height + index * place["scale"][0], *rest)
            layer = self._previews.get(contrast)
            if layer is not None and layer in self.viewer.layers:
                layer.data = plane[np.newaxis]
                layer.translate = place["translate"]
                continue
            tag = Tag("preview", study.grid, Source(format="synthetic"), contrast=contrast)
            added = self._add_image(
                plane[np.newaxis],
                name=f"{contrast} (preview)",
                metadata=tag.as_metadata(),
                **place,
                **self._preview_limits(study, contrast, plane),
            )
            self._previews[contrast] = added

    def drop_previews(self) -> None:
        """Remove the preview layers."""
        for layer in self._previews.values():
            self._drop(layer)
        self._previews.clear()

    # ------------------------------------------------------------------ results

    def show_result(self, study: Study, result: Result, *, keep_earlier: bool = False) -> None:
        """Show the outputs of a synthesis; an earlier layer of a contrast is replaced, or kept aside.

        So is the earlier source map, where there is a new one or no result that it belongs to is left.
        """
        for contrast, volume in result.outputs.items():
            self._unlink(contrast)
            earlier = self.result_of(contrast)
            if earlier is not None and keep_earlier:
                self._keep_aside(earlier)
                earlier = None
            if earlier is None:
                earlier = self._grown_preview(contrast, volume)
            self._results[contrast] = self._put_scan(earlier, volume, scan_name(volume))
            self._results[contrast].visible = True
            self._link(study, contrast, volume)
            self._show_only_truth(contrast)
        self.drop_previews()
        self._renew_source_map(result, keep_earlier)
        first = next(iter(result.outputs), None)
        if first is not None:
            self.viewer.layers.selection.active = self._results[first]

    # ------------------------------------------------------------------ inside

    def _hide_users(self) -> None:
        """Hide the user's own layers of this patient: another's are to be seen."""
        for layer in (*self._scans.values(), *self._edited.values()):
            if layer not in self._own:
                layer.visible = False

    def _keep_painted_lesions(self) -> None:
        """Leave the lesions' layer to the user, hidden, where somebody has painted on it."""
        layer = self._lesions
        if layer is None or layer not in self._own or np.array_equal(layer.data, self._lesions_as_read):
            return
        self._own.discard(layer)
        layer.visible = False
        self._name(layer, f"{layer.name}, edited")

    def _let_go(self, layer: Layer) -> None:
        """Leave a layer that was given other voxels to the user, and say in its record that it was."""
        for shown in (self._scans, self._results):
            contrast = next((c for c, each in shown.items() if each is layer), None)
            if contrast is None:
                continue
            del shown[contrast]
            self._own.discard(layer)
            self._edited[contrast] = layer
            layer.metadata = {**layer.metadata, **edited(layer.metadata)}
            self._name(layer, f"{layer.name}, edited")
            self.let_go.emit(contrast, layer)

    def _rekey(self, study: Study) -> None:
        """Follow contrasts that were renamed: the same voxels under another name."""
        for old in [c for c in self._scans if c not in study.members]:
            layer = self._scans[old]
            for new, member in study.members.items():
                if new not in self._scans and np.may_share_memory(member.on_reference.array, layer.data):
                    self._scans[new] = self._scans.pop(old)
                    break

    def _show_scan(self, study: Study, contrast: str, *, visible: bool) -> None:
        member = study.members[contrast]
        volume = member.on_reference
        name = scan_name(volume)
        layer, lent = self.layer_of(contrast), self._borrowed(volume.array)
        if layer is not None and lent is not None:
            self._drop(layer)
            layer = lent
            self._edited.pop(contrast, None)
        if layer is not None and layer not in self._own and not np.may_share_memory(layer.data, volume.array):
            self._drop(layer)
            layer.visible = False
            layer = None
        if layer is None:
            layer = lent
            original = self._borrowed(member.native.array)
            if layer is None and original is not None:
                original.visible = False
                name = f"{name} (on the grid of {study.reference})"
        self._scans[contrast] = self._put_scan(layer, volume, name, visible=visible)

    def _put_scan(self, layer: Layer | None, volume: Volume, name: str, *, visible: bool = True) -> Layer:
        data, attributes, _ = layer_tuple(volume, name=name)
        if layer is None:
            layer = self._add_image(read_only(data), visible=visible, **attributes)
            if not visible:
                layer.thumbnail = layer_thumbnail(volume, layer.thumbnail.shape[0])
        elif not shows(layer, volume):
            self._held.show(layer, data)
            layer.scale, layer.translate = attributes["scale"], attributes["translate"]
            layer.units, layer.axis_labels = attributes["units"], attributes["axis_labels"]
        if layer not in self._held:
            self._held.hold(layer, data)
        self._name(layer, name)
        layer.metadata = {**layer.metadata, **attributes["metadata"]}
        return layer

    def _show_lesions(self, study: Study) -> None:
        if study.lesions is None or self._lesions is not None:
            return
        data, attributes, _ = layer_tuple(study.lesions, name="lesions")
        self._lesions = self._adopt(
            Labels(data.copy(), **attributes)
        )  # whoever paints there changes no study
        self._lesions_as_read = data

    def _renew_source_map(self, result: Result, keep_earlier: bool) -> None:
        earlier = self._source_map.replaced_by(result)
        if earlier is not None and keep_earlier and earlier in self.viewer.layers:
            self._keep_aside(earlier)
        elif earlier is not None:
            self._drop(earlier)
        if result.source_map is not None:
            self._adopt(self._source_map.show(result.source_map, result.outputs))

    def _keep_aside(self, layer: Layer) -> None:
        """Hide a result's layer, named as an earlier one."""
        self._name(layer, f"{layer.name}, earlier")
        layer.visible = False

    def _preview_limits(self, study: Study, contrast: str, plane: Any) -> dict[str, tuple[float, float]]:
        layer = self.result_of(contrast)
        if isinstance(layer, Image):
            low, high = layer.contrast_limits
            return {"contrast_limits": (low, high)}
        return limits(plane)

    def _link(self, study: Study, contrast: str, volume: Volume) -> None:
        truth = self.layer_of(contrast)
        if not isinstance(truth, Image):
            return
        mask = None if study.mask is None else study.mask.array
        ratio = proportion(volume.array, study.volume(contrast).array, mask)
        self._links[contrast] = link_limits(self._results[contrast], truth, ratio)

    def _grown_preview(self, contrast: str, volume: Volume) -> Layer | None:
        """Return the preview layer of a contrast to become its result: cheaper than another layer."""
        layer = self._previews.pop(contrast, None)
        if not isinstance(layer, Image) or layer not in self.viewer.layers:
            return None
        low, high = limits(volume.array)["contrast_limits"]
        layer.contrast_limits_range = (
            min(low, float(volume.array.min())),
            max(high, float(volume.array.max())),
        )
        layer.contrast_limits = (low, high)
        return layer

    def _show_only_truth(self, contrast: str) -> None:
        """Where the truth is here, lay it under its synthetic twin: hiding the one shows the other."""
        truth = self.layer_of(contrast)
        if truth is None:
            return
        truth.visible = True
        for layer in self._scans.values():
            if layer is not truth and layer in self._own:
                layer.visible = False

    def _unlink(self, contrast: str) -> None:
        unlink = self._links.pop(contrast, None)
        if unlink is not None:
            unlink()

    def _borrowed(self, array: Any) -> Layer | None:
        for lent, layer in self._lent:
            if lent is array and layer in self.viewer.layers and isinstance(layer, Image):
                return layer
        return None

    def _go_to_middle(self, study: Study) -> None:
        axis = self.viewer.dims.ndim - 3
        z = float(study.grid.display.centre_mm[2])
        self.viewer.dims.set_point(axis, z)
        self.viewer.reset_view()

    def _add_image(self, data: Any, **attributes: Any) -> Layer:
        return self._adopt(Image(data, **attributes))

    def _adopt(self, layer: Layer) -> Layer:
        self.viewer.add_layer(layer)
        self._given_names[layer] = layer.name
        self._own.add(layer)
        return layer

    def _name(self, layer: Layer, name: str) -> None:
        """Name a layer, unless the user has named it otherwise since it was named here."""
        if layer.name == self._given_names.get(layer, layer.name):
            layer.name = name
            self._given_names[layer] = layer.name

    def _drop(self, layer: Layer) -> None:
        """Remove a layer, or give it back where it is the user's."""
        if layer not in self._own:
            self._held.release(layer)
        else:
            self._held.forget(layer)
            self._own.discard(layer)
            if layer in self.viewer.layers:
                with garbage.left_for_later():
                    self.viewer.layers.remove(layer)
