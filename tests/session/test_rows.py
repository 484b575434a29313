"""What a row of the study's table says of one contrast."""

from __future__ import annotations

import numpy as np

from napari_mrsynth.imaging import Rigid
from napari_mrsynth.preprocess.study import _moved, with_reference
from napari_mrsynth.session.rows import contrast_rows
from phantoms import brain_study


def test_the_row_that_was_aligned_is_the_one_to_undo_even_as_the_reference():
    study = brain_study(("FLAIR", "T1w", "T2w"))
    moved = np.eye(4)
    moved[0, 3] = 8
    aligned = with_reference(_moved(study, "T1w", Rigid(moved, "aligned")), "T1w")
    rows = {row.contrast: row for row in contrast_rows(aligned)}
    assert {contrast: row.can_undo for contrast, row in rows.items()} == {
        "T1w": True,
        "T2w": False,
        "FLAIR": False,
    }
    assert rows["T2w"].can_align
    assert rows["T2w"].chip.text == "8.0 mm, 0.0°"
    assert "not aligned itself" in rows["T2w"].chip.explanation
