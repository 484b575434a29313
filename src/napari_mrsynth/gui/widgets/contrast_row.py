"""One contrast of the study: its switch, thumbnail, name, place on the grid, and what can be done."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QFrame, QHBoxLayout, QMenu, QPushButton, QToolButton, QVBoxLayout
from superqt import QElidingLabel, QToggleSwitch

from napari_mrsynth.gui.widgets.pieces import chip, menu_button
from napari_mrsynth.gui.widgets.style import ACCENT
from napari_mrsynth.imaging.contrasts import KNOWN
from napari_mrsynth.session.rows import ContrastRow, Fit, title

THUMBNAIL = 40
_SURE = 0.9


class ContrastRowWidget(QFrame):
    """Shows one row and says what the user did with it.

    Parameters
    ----------
    row : ContrastRow
    picture : QPixmap
        Its thumbnail.
    layer_name : str
        Name of its layer; empty when that was removed from the viewer.
    """

    switched = Signal(str, bool)
    renamed = Signal(str, str)
    align_asked = Signal(str)
    undo_asked = Signal(str)
    layer_asked = Signal(str)
    reference_asked = Signal(str)
    removal_asked = Signal(str)

    def __init__(self, row: ContrastRow, picture: QPixmap, layer_name: str) -> None:
        super().__init__()
        self.setObjectName("row")
        self.row = row
        self.switch = self._make_switch()
        self.picture = self._make_picture(picture)
        self.name = self._make_name()
        self.chip = chip(row.chip.text, row.chip.fit.value, row.chip.explanation)
        self.layer = QElidingLabel(self._second_line(layer_name))
        self.layer.setObjectName("link")
        self.layer.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.layer.setCursor(Qt.CursorShape.PointingHandCursor)
        self.layer.mousePressEvent = lambda _: self.layer_asked.emit(self.row.contrast)
        self.layer.setToolTip("\n".join((self._layer_tip(layer_name), *row.notes)))
        self.align = self._make_align()
        self._lay_out()

    def _make_switch(self) -> QToggleSwitch:
        switch = QToggleSwitch()
        switch.setChecked(self.row.on)
        switch.onColor = ACCENT
        switch.setToolTip(f"Use {title(self.row.contrast)} as an input")
        switch.setAccessibleName(f"Use {self.row.contrast} as an input")
        switch.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        switch.toggled.connect(lambda on: self.switched.emit(self.row.contrast, on))
        return switch

    def _make_picture(self, picture: QPixmap) -> QToolButton:
        button = QToolButton()
        button.setObjectName("plain")
        button.setIcon(QIcon(picture))
        button.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        button.setFixedSize(THUMBNAIL + 4, THUMBNAIL + 4)
        button.setToolTip(f"Show the layer of {self.row.contrast}")
        button.setAccessibleName(f"Show the layer of {self.row.contrast}")
        button.clicked.connect(lambda: self.layer_asked.emit(self.row.contrast))
        return button

    def _make_name(self) -> QComboBox:
        combo = QComboBox()
        combo.setEditable(True)
        combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        combo.addItems([contrast.name for contrast in KNOWN])
        for index, contrast in enumerate(KNOWN):
            combo.setItemData(index, contrast.title, Qt.ItemDataRole.ToolTipRole)
        combo.setCurrentText(self.row.contrast)
        combo.setFixedWidth(88)
        combo.setAccessibleName(f"Name of the contrast {self.row.contrast}")
        doubtful = self.row.confidence < _SURE
        combo.setToolTip(self._name_tip())
        if doubtful:
            combo.setObjectName("doubtful")
        combo.activated.connect(self._say_name)
        edit = combo.lineEdit()
        if edit is not None:
            edit.returnPressed.connect(self._say_name)
            edit.editingFinished.connect(self._say_name)
            edit.setCursorPosition(0)
        return combo

    def _make_align(self) -> QPushButton:
        button = QPushButton("Undo" if self.row.can_undo else "Align")
        button.setObjectName("small")
        button.setVisible(self.row.can_align or self.row.can_undo)
        if self.row.can_undo:
            button.setToolTip(f"Put {self.row.contrast} back to where its header says it lies")
            button.clicked.connect(lambda: self.undo_asked.emit(self.row.contrast))
        else:
            button.setToolTip(f"Estimate how {self.row.contrast} must be moved to lie on the reference")
            button.clicked.connect(lambda: self.align_asked.emit(self.row.contrast))
        return button

    def _make_menu(self) -> QToolButton:
        button = menu_button("⋯", f"More to do with {self.row.contrast}", self, plain=True)
        menu = QMenu(button)
        actions = (
            ("Show its layer", self.layer_asked, True),
            ("Use its grid as the reference", self.reference_asked, self.row.chip.fit is not Fit.REFERENCE),
            ("Align to the reference", self.align_asked, self.row.can_align),
            ("Undo the alignment", self.undo_asked, self.row.can_undo),
            ("Remove from the study", self.removal_asked, True),
        )
        for text, signal, enabled in actions:
            action = menu.addAction(text)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _=False, signal=signal: signal.emit(self.row.contrast))
        button.setMenu(menu)
        return button

    def _lay_out(self) -> None:
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for line in (upper, lower):
            line.setSpacing(6)
        upper.addWidget(self.name)
        upper.addStretch(1)
        upper.addWidget(self.chip)
        lower.addWidget(self.layer, 1)
        lower.addWidget(self.align)
        middle = QVBoxLayout()
        middle.setSpacing(3)
        middle.addLayout(upper)
        middle.addLayout(lower)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(2, 3, 0, 3)
        whole.setSpacing(6)
        whole.addWidget(self.switch)
        whole.addWidget(self.picture)
        whole.addLayout(middle, 1)
        whole.addWidget(self._make_menu())

    def _say_name(self) -> None:
        name = self.name.currentText().strip()
        if name and name != self.row.contrast:
            self.renamed.emit(self.row.contrast, name)

    def _name_tip(self) -> str:
        if self.row.confidence == 0:
            return "Which contrast is this? Choose or type its name; it is then switched on."
        if self.row.confidence < _SURE:
            return (
                f"{title(self.row.contrast)}: guessed with {self.row.confidence:.0%} confidence. "
                "Choose or type another name if it is wrong."
            )
        return f"{title(self.row.contrast)}. Choose or type another name if it is wrong."

    def _second_line(self, layer_name: str) -> str:
        if self.row.confidence == 0:
            return "which contrast is this?"
        if self.row.confidence < _SURE:
            return f"guessed, {self.row.confidence:.0%} sure"
        if self.row.synthetic:
            return "synthetic, from a file"
        if not layer_name:
            return "layer removed: click to show"
        return layer_name if layer_name != self.row.contrast else self.row.origin or layer_name

    def _layer_tip(self, layer_name: str) -> str:
        return f"Layer: {layer_name}" if layer_name else "Its layer was removed from the viewer"
