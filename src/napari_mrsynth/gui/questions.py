"""What only the user can answer, as a port: dialogs in the window, prepared answers in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Protocol

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.imaging.geometry import Affine, Grid

_USUAL = (
    ("SAR", "S A R: slices run feet to head, rows back to front, columns left to right"),
    ("SPL", "S P L: slices, rows, columns of a DICOM or ITK image (z, y, x)"),
    ("RAS", "R A S: the order of a NIfTI array (x, y, z)"),
)
ALL_CODES = tuple(
    "".join(letters) for order in permutations(("RL", "AP", "SI")) for letters in product(*order)
)


@dataclass(frozen=True)
class Placement:
    """Where the voxels of a bare array lie.

    Attributes
    ----------
    spacing : (float, float, float)
        Voxel size along the array's axes in mm.
    codes : str
        Where the axes point, such as ``SPL``.
    on_reference : bool
        Whether they lie on the open study's grid, and the rest does not matter.
    """

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    codes: str = "SAR"
    on_reference: bool = False

    def grid(self, shape: tuple[int, ...]) -> Grid:
        """Return the grid of an array of `shape`, its middle at the origin of space."""
        first, second, third = shape
        corner = Affine.from_parts(self.spacing, codes=self.codes)
        middle = corner.apply((np.array(shape) - 1) / 2)
        return Grid((first, second, third), Affine.from_parts(self.spacing, tuple(-middle), self.codes))


class Questions(Protocol):
    """What the dock asks its user."""

    def folder(self, title: str) -> Path | None:
        """Say which folder; None when the user thinks better of it."""

    def files(self, title: str) -> Sequence[Path]:
        """Say which files; none when the user thinks better of it."""

    def placement(
        self, name: str, shape: tuple[int, ...], scale: Sequence[float], reference: str | None
    ) -> Placement | None:
        """Say how large the voxels of a layer without geometry are, and where its axes point."""

    def confirm(self, title: str, text: str, action: str) -> bool:
        """Say whether to go on with `action`."""


class QtQuestions:
    """Asks with dialogs.

    Parameters
    ----------
    parent : QWidget
        The window the dialogs belong to.
    """

    def __init__(self, parent: QWidget) -> None:
        self._parent = parent
        self._last = str(Path.home())

    def folder(self, title: str) -> Path | None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self._parent, title, self._last)
        if not chosen:
            return None
        self._last = chosen
        return Path(chosen)

    def files(self, title: str) -> Sequence[Path]:
        """Ask for files."""
        pattern = "Images (*.nii *.nii.gz *.mgz *.mgh *.nrrd *.nhdr *.mha *.mhd *.dcm);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileNames(self._parent, title, self._last, pattern)
        if chosen:
            self._last = str(Path(chosen[0]).parent)
        return [Path(path) for path in chosen]

    def placement(
        self, name: str, shape: tuple[int, ...], scale: Sequence[float], reference: str | None
    ) -> Placement | None:
        """Ask for voxel size and axes."""
        dialog = PlacementDialog(name, shape, scale, reference, self._parent)
        return dialog.answer if dialog.exec() else None

    def confirm(self, title: str, text: str, action: str) -> bool:
        """Ask whether to go on."""
        box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=self._parent)
        yes = box.addButton(action, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return box.clickedButton() is yes


class PlacementDialog(QDialog):
    """Asks for the voxel size and the axes of a layer that came without them.

    Parameters
    ----------
    name : str
        The layer's name.
    shape : tuple of int
    scale : sequence of float
        The layer's scale, offered as the voxel size.
    reference : str or None
        The open study's reference, if the layer has its shape.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        scale: Sequence[float],
        reference: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Voxel size and axes")
        question = QLabel(
            f"The layer “{name}” ({' × '.join(str(n) for n in shape)}) does not say how large its voxels are "
            "and where its axes point. Both matter: a wrong answer mirrors or stretches the brain."
        )
        question.setWordWrap(True)
        self.sizes = [self._size(float(value)) for value in scale]
        self.axes = QComboBox()
        for codes, text in _USUAL:
            self.axes.addItem(text, codes)
        for codes in ALL_CODES:
            if codes not in dict(_USUAL):
                self.axes.addItem(" ".join(codes), codes)
        self.same = QCheckBox(f"It lies on the grid of {reference} (it has the same shape)")
        self.same.setVisible(reference is not None)
        self.same.toggled.connect(self._grey_out)
        self.same.setChecked(reference is not None)
        sizes = QHBoxLayout()
        for spin in self.sizes:
            sizes.addWidget(spin)
        form = QFormLayout()
        form.addRow("Voxel size, axis by axis", sizes)
        form.addRow("Axes point to", self.axes)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(question)
        layout.addWidget(self.same)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.setMinimumWidth(480)

    @property
    def answer(self) -> Placement:
        """What is filled in."""
        first, second, third = (spin.value() for spin in self.sizes)
        return Placement((first, second, third), str(self.axes.currentData()), self.same.isChecked())

    def _grey_out(self, on: bool) -> None:
        for widget in (*self.sizes, self.axes):
            widget.setDisabled(on)

    @staticmethod
    def _size(value: float) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setDecimals(4)
        spin.setRange(0.01, 50.0)
        spin.setSingleStep(0.1)
        spin.setSuffix(" mm")
        spin.setValue(value if value > 0 else 1.0)
        return spin
