"""The real scans of every folder: read whole, told apart rightly, written back without a change."""

from __future__ import annotations

import csv

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.io import checks, read_image, read_patient, write_volume

SUBJECTS = (
    *("tumour/BraTS2021_01484", "tumour/BraTS-GLI-00027-000", "ms/patient07"),
    *("ms-native/patient01_study2", "ms-native/patient12_study2"),
    *("stroke/sub-strokecase0001", "stroke/sub-strokecase0009"),
)


@pytest.fixture(scope="module")
def subjects(real_scans):
    with (real_scans / "subjects.tsv").open() as file:
        return {row["subject"]: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_is_what_the_table_says(real_scans, subjects, subject):
    row = subjects[subject]
    patient = read_patient(real_scans / subject)
    assert {volume.contrast for volume in patient.volumes} == set(row["contrasts"].split())
    assert (patient.lesions is not None) == (row["lesion labels"] != "none")
    assert (patient.mask is not None) == subject.startswith("ms-native")
    assert patient.notes == ()
    for volume in patient.volumes:
        image = nib.load(volume.source.path)
        np.testing.assert_array_equal(volume.grid.affine.matrix, image.affine)
        assert volume.array.dtype == (
            np.float32 if volume.array.dtype.kind == "f" else image.get_data_dtype()
        )
    np.testing.assert_array_equal(volume.array, np.asarray(image.dataobj).astype(volume.array.dtype))


@pytest.mark.parametrize(
    "scan", ["ms/patient07/patient07_T1W", "ms-native/patient12_study2/patient12_study2_T2W"]
)
def test_a_scan_goes_through_a_file_unchanged(real_scans, tmp_path, scan):
    volume = read_image(real_scans / f"{scan}.nii.gz")
    written = write_volume(tmp_path / "again.nii", volume)
    before, after = nib.load(volume.source.path).header, nib.load(written).header
    for name in ("qform_code", "sform_code", "srow_x", "quatern_d", "qoffset_z", "xyzt_units"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_array_equal(after["pixdim"][:4], before["pixdim"][:4])
    np.testing.assert_array_equal(read_image(written).array, volume.array)


@pytest.mark.parametrize(
    "file",
    [
        "ms-native/patient12_study2/patient12_study2_FLAIR.nii.gz",
        "tumour/BraTS2021_01484/BraTS2021_01484_t1.nii.gz",
        "ms/patient07/patient07_T2W.nii.gz",
        "stroke/sub-strokecase0009/sub-strokecase0009_ses-0001_adc.nii.gz",
    ],
)
def test_no_scan_is_taken_for_labels_even_in_eight_bits(real_scans, file):
    array = read_image(real_scans / file, kind="scan").array
    top = np.percentile(array, 99.9)
    squeezed = np.clip(array / top * 255, 0, 255).astype(np.uint8)
    assert checks.label_values(squeezed) is None
    assert checks._plateau_share(squeezed) < 0.3


@pytest.mark.parametrize("folder", ["ms-mni", "stroke-mni", "tumour-sri24"])
def test_every_lesion_shape_is_a_label_map(real_scans, folder):
    for path in sorted((real_scans / "lesion-shapes" / folder).glob("*.nii.gz"))[::15]:
        labels = read_image(path)
        assert isinstance(labels, LabelVolume)
        assert labels.notes == ()
        assert set(labels.present) <= {1, 2, 4}
