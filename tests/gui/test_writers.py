"""Saving several layers at once never replaces a file, for nobody was asked."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.errors import OutputError
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.writers import write_layers
from phantoms import brain_study, save


@pytest.fixture
def layers():
    """Layers of a T1w and a T2w scan."""
    study = brain_study(("T1w", "T2w"))
    return [layer_tuple(study.volume(contrast)) for contrast in ("T1w", "T2w")]


def test_a_file_that_is_there_stops_the_saving_of_a_folder_before_anything_is_written(tmp_path, layers):
    kept = save(brain_study(("T2w",)).volume("T2w"), tmp_path / "T2w.nii.gz")
    before = kept.read_bytes()
    with pytest.raises(OutputError, match=r"“T2w\.nii\.gz” already") as caught:
        write_layers(str(tmp_path), layers)
    assert caught.value.hint
    assert kept.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["T2w.nii.gz"]


def test_every_file_that_is_there_is_named(tmp_path, layers):
    write_layers(str(tmp_path), layers)
    with pytest.raises(OutputError, match=r"“T1w\.nii\.gz”, “T2w\.nii\.gz” already"):
        write_layers(str(tmp_path), layers)


def test_a_layer_that_cannot_be_saved_leaves_no_folder(tmp_path, layers):
    series = (np.ones((2, 3, 4, 5)), {"name": "time"}, "image")
    with pytest.raises(OutputError, match="4 axes"):
        write_layers(str(tmp_path / "new"), [*layers, series])
    assert not (tmp_path / "new").exists()


def test_layers_are_saved_beside_other_files(tmp_path, layers):
    (tmp_path / "other.txt").write_text("kept")
    write_layers(str(tmp_path), layers)
    assert {path.name for path in tmp_path.iterdir()} == {"T1w.nii.gz", "T2w.nii.gz", "other.txt"}
