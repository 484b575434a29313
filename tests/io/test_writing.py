"""Writing: synthetic scans are always marked, acquired ones never overwritten, a full disk leaves nothing."""

from __future__ import annotations

import errno
import gzip
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from napari_mrsynth.errors import OutputError
from napari_mrsynth.imaging import Source
from napari_mrsynth.io import read_image, write_volume
from napari_mrsynth.io.atomic import replacing
from phantoms import affine_of, lesion_labels, nifti_file, phantom, save

PROVENANCE = {"bundle": "anysubset-4c", "used": ["T1w", "T2w"], "seconds": 1.5}


def synthetic(provenance=PROVENANCE, **changes):
    made = phantom(contrast="FLAIR", **changes)
    return replace(made, source=Source(format="synthetic", synthetic=provenance))


def acquired_file(path):
    """Write an acquired scan in the format its name says."""
    scan = phantom(contrast="FLAIR")
    if path.suffix == ".nrrd":
        sitk.WriteImage(sitk.GetImageFromArray(scan.array.T), str(path))
    elif path.suffix == ".mgz":
        nib.save(nib.MGHImage(scan.array.astype(np.float32), scan.grid.affine.matrix), path)
    else:
        save(scan, path)


def forget_file(sidecar):
    """Make a sidecar one of an earlier version, which did not name its image."""
    content = json.loads(sidecar.read_text())
    assert content.pop("File")
    sidecar.write_text(json.dumps(content))


def test_a_synthetic_scan_is_marked_in_header_and_sidecar(tmp_path):
    path = write_volume(tmp_path / "sub-1_desc-synthetic_FLAIR.nii.gz", synthetic())
    header = nib.load(path).header
    assert bytes(header["descrip"].item()).startswith(b"SYNTHETIC FLAIR, mrsynth ")
    assert b"anysubset-4c" in header["descrip"].item()
    assert header.get_data_dtype() == np.float32
    sidecar = json.loads((tmp_path / "sub-1_desc-synthetic_FLAIR.json").read_text())
    assert sidecar["Synthetic"] is True
    assert sidecar["Provenance"] == PROVENANCE
    assert "not for diagnosis" in sidecar["Description"]


def test_a_provenance_marks_a_volume_that_does_not_know_it_is_synthetic(tmp_path):
    path = write_volume(tmp_path / "FLAIR.nii.gz", phantom(contrast="FLAIR"), provenance=PROVENANCE)
    again = read_image(path)
    assert again.is_synthetic
    assert again.source.synthetic == PROVENANCE
    assert any("synthetic" in note for note in again.notes)


@pytest.mark.parametrize("provenance", [{}, PROVENANCE])
def test_an_unmarked_export_of_a_synthetic_scan_is_impossible(tmp_path, provenance):
    path = write_volume(tmp_path / "plain_name.nii", synthetic(provenance))
    assert read_image(path).is_synthetic
    path.with_suffix(".json").unlink()
    alone = read_image(path)
    assert alone.is_synthetic
    assert alone.source.synthetic["description"].startswith("SYNTHETIC FLAIR")


def test_a_sidecar_alone_marks_a_file_whose_header_was_lost(tmp_path):
    write_volume(tmp_path / "FLAIR.nii", synthetic())
    nifti_file(tmp_path / "FLAIR.nii", phantom().array, affine_of(phantom().array.shape))
    assert read_image(tmp_path / "FLAIR.nii").source.synthetic == PROVENANCE


def test_a_name_alone_marks_a_file_that_lost_everything_else(tmp_path):
    path = save(phantom(contrast="FLAIR"), tmp_path / "sub-1_desc-synthetic_FLAIR.nii")
    assert read_image(path).is_synthetic


def test_a_synthetic_scan_read_and_written_again_stays_marked(tmp_path):
    first = write_volume(tmp_path / "a.nii.gz", synthetic())
    second = write_volume(tmp_path / "b.nii.gz", read_image(first))
    assert read_image(second).source.synthetic == PROVENANCE


def test_a_synthetic_scan_keeps_the_references_forms_but_not_its_words(tmp_path):
    affine = affine_of((8, 9, 7), (1, 1, 3), "LPS", (4, 2, 0))
    original = read_image(
        nifti_file(
            tmp_path / "T1w.nii", phantom((8, 9, 7)).array, affine, qform=2, sform=1, descrip="DOE JOHN"
        )
    )
    made = replace(
        original, source=replace(original.source, format="synthetic", synthetic={}), contrast="FLAIR"
    )
    header = nib.load(write_volume(tmp_path / "FLAIR.nii", made)).header
    before = nib.load(tmp_path / "T1w.nii").header
    for name in ("qform_code", "sform_code", "srow_x", "quatern_b", "qoffset_x", "xyzt_units"):
        np.testing.assert_array_equal(header[name], before[name], err_msg=name)
    assert b"DOE" not in header.binaryblock


@dataclass
class Settings:
    path: Path
    size: np.int64


def test_provenance_may_hold_what_programs_hold(tmp_path):
    provenance = {
        "settings": Settings(Path("x"), np.int64(3)),
        "matrix": np.eye(2),
        "set": {"b", "a"},
        "scale": np.float32(0.5),
        1: None,
    }
    path = write_volume(tmp_path / "FLAIR.nii", synthetic(provenance))
    assert read_image(path).source.synthetic == {
        "settings": {"path": "x", "size": 3},
        "matrix": [[1.0, 0.0], [0.0, 1.0]],
        "set": ["a", "b"],
        "scale": 0.5,
        "1": None,
    }


@pytest.mark.parametrize("value", [object(), float("nan")], ids=["object", "nan"])
def test_provenance_that_is_no_json_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises(OutputError, match="provenance"):
        write_volume(tmp_path / "FLAIR.nii", synthetic({"bad": value}))
    assert list(tmp_path.iterdir()) == []


def test_a_synthetic_scan_never_replaces_an_acquired_one(tmp_path):
    path = save(phantom(contrast="FLAIR"), tmp_path / "FLAIR.nii.gz")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="acquired scan") as caught:
        write_volume(path, synthetic())
    assert caught.value.hint
    assert path.read_bytes() == before
    assert not (tmp_path / "FLAIR.json").exists()


def test_a_synthetic_scan_replaces_an_earlier_synthetic_one(tmp_path):
    write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    write_volume(tmp_path / "FLAIR.nii.gz", synthetic({"bundle": "newer"}))
    assert read_image(tmp_path / "FLAIR.nii.gz").source.synthetic == {"bundle": "newer"}


def test_the_sidecar_of_another_scan_is_never_overwritten(tmp_path):
    (tmp_path / "FLAIR.json").write_text('{"EchoTime": 0.1}')
    with pytest.raises(OutputError, match=r"FLAIR\.json"):
        write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    assert [path.name for path in tmp_path.iterdir()] == ["FLAIR.json"]


def test_an_acquired_scan_written_over_a_synthetic_one_is_not_taken_for_it(tmp_path):
    write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    write_volume(tmp_path / "FLAIR.nii.gz", phantom(contrast="FLAIR"))
    assert not read_image(tmp_path / "FLAIR.nii.gz").is_synthetic
    assert not (tmp_path / "FLAIR.json").exists()


@pytest.mark.parametrize("acquired", ["FLAIR.nii.gz", "FLAIR.mgz", "FLAIR.nrrd"])
def test_a_synthetic_scan_never_shares_the_json_file_of_an_acquired_one(tmp_path, acquired):
    acquired_file(tmp_path / acquired)
    with pytest.raises(OutputError, match=rf"{acquired}.* is an acquired scan.*JSON") as caught:
        write_volume(tmp_path / "FLAIR.nii", synthetic())
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == [acquired]


@pytest.mark.parametrize("acquired", ["FLAIR.nii", "FLAIR.mgz", "FLAIR.nrrd"])
def test_an_acquired_scan_beside_a_synthetic_one_of_its_name_stays_acquired(tmp_path, acquired):
    write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    acquired_file(tmp_path / acquired)
    assert not read_image(tmp_path / acquired).is_synthetic
    assert read_image(tmp_path / "FLAIR.nii.gz").source.synthetic == PROVENANCE
    with pytest.raises(OutputError):
        write_volume(
            tmp_path / acquired if acquired.endswith(".nii") else tmp_path / "FLAIR.nii", synthetic()
        )


@pytest.mark.parametrize("version", ["this", "earlier"])
def test_an_acquired_scan_leaves_the_json_file_of_its_synthetic_namesake(tmp_path, version):
    made = write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    if version == "earlier":
        forget_file(tmp_path / "FLAIR.json")
    for _ in range(2):
        write_volume(tmp_path / "FLAIR.nii", phantom(contrast="FLAIR"))
        assert read_image(made).source.synthetic == PROVENANCE
        assert not read_image(tmp_path / "FLAIR.nii").is_synthetic


def test_an_acquired_scan_leaves_the_json_file_of_an_unpacked_synthetic_scan(tmp_path):
    made = write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    (tmp_path / "FLAIR.nii").write_bytes(gzip.decompress(made.read_bytes()))
    made.unlink()
    assert read_image(tmp_path / "FLAIR.nii").source.synthetic == PROVENANCE
    write_volume(made, phantom(contrast="FLAIR"))
    assert not read_image(made).is_synthetic
    assert read_image(tmp_path / "FLAIR.nii").source.synthetic == PROVENANCE


def test_a_json_file_of_an_earlier_version_names_no_image_and_still_counts(tmp_path):
    path = write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    forget_file(tmp_path / "FLAIR.json")
    assert read_image(path).source.synthetic == PROVENANCE
    write_volume(path, synthetic({"bundle": "newer"}))
    assert read_image(path).source.synthetic == {"bundle": "newer"}


def test_a_renamed_synthetic_scan_keeps_its_provenance(tmp_path):
    write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    for ending in (".nii.gz", ".json"):
        (tmp_path / f"FLAIR{ending}").rename(tmp_path / f"other{ending}")
    assert read_image(tmp_path / "other.nii.gz").source.synthetic == PROVENANCE


def test_the_provenance_of_a_synthetic_namesake_is_not_replaced(tmp_path):
    made = write_volume(tmp_path / "FLAIR.nii.gz", synthetic())
    with pytest.raises(OutputError, match=r"FLAIR\.json"):
        write_volume(tmp_path / "FLAIR.nii", synthetic({"bundle": "newer"}))
    assert read_image(made).source.synthetic == PROVENANCE


def test_a_label_map_with_provenance_is_marked_too(tmp_path):
    path = write_volume(tmp_path / "p_seg.nii.gz", lesion_labels(), provenance=PROVENANCE)
    assert read_image(path).source.synthetic == PROVENANCE
    assert nib.load(path).get_data_dtype() == np.uint8


@pytest.mark.parametrize(("name", "written"), [("T1w", "T1w.nii.gz"), ("a/b/T1w.nii", "a/b/T1w.nii")])
def test_names_without_extension_get_one_and_folders_are_made(tmp_path, name, written):
    assert write_volume(tmp_path / name, phantom((6, 6, 6))) == tmp_path / written
    assert (tmp_path / written).is_file()


@pytest.mark.parametrize("name", ["T1w.mgz", "T1w.png", "T1w.img", "T1w.gz"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match=name) as caught:
        write_volume(tmp_path / name, phantom((6, 6, 6)))
    assert ".nii.gz" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write"),
        (errno.EIO, "disk"),
    ],
)
@pytest.mark.parametrize(
    "volume", [phantom((6, 6, 6)), synthetic(shape=(6, 6, 6))], ids=["scan", "synthetic"]
)
def test_a_disk_that_refuses_leaves_the_folder_as_it_was(tmp_path, monkeypatch, volume, code, hint):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    (tmp_path / "other.txt").write_text("kept")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match=r"FLAIR\.") as caught:
        write_volume(tmp_path / "FLAIR.nii.gz", volume)
    assert os.strerror(code) in caught.value.message
    assert hint in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def write_half(target, error):
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_disk_that_fills_up_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "T1w.nii.gz"
    target.write_text("old")
    with pytest.raises(OutputError, match="T1w"):
        write_half(target, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_the_writer_passes_through_and_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        write_half(tmp_path / "x.json", KeyError("bug"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_is_needed_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out") as caught:
        write_volume(tmp_path / "out" / "T1w.nii.gz", phantom((6, 6, 6)))
    assert "folder" in caught.value.hint


def test_a_folder_of_that_name_is_said(tmp_path):
    (tmp_path / "T1w.nii.gz").mkdir()
    with pytest.raises(OutputError, match=r"T1w\.nii\.gz"):
        write_volume(tmp_path / "T1w.nii.gz", phantom((6, 6, 6)))
    assert [path.name for path in tmp_path.iterdir()] == ["T1w.nii.gz"]
