"""The digital brain looks like a brain in every contrast, and never passes for a scan."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_mrsynth.errors import SampleError
from napari_mrsynth.imaging import Volume
from napari_mrsynth.io import PatientFiles, read_image, write_volume
from napari_mrsynth.samples import brain, digital_brain, lesion, simulate_brain
from napari_mrsynth.samples.anatomy import Anatomy, t1w_of
from napari_mrsynth.samples.relaxation import FLUID, GREY, WHITE, Sequence

SIMULATED = ("T2w", "FLAIR", "PDw")


def scan(patient: PatientFiles, contrast: str) -> Volume:
    return next(volume for volume in patient.volumes if volume.contrast == contrast)


def mean_in(volume: Volume, anatomy: Anatomy, voxels: NDArray[np.bool_]) -> float:
    return float(volume.array[anatomy.mask][voxels].mean())


def mean_at(volume: Volume, centre_mm: tuple[float, float, float], size: int = 2) -> float:
    i, j, k = np.round(volume.grid.affine.unapply(centre_mm)).astype(int)
    block = volume.array[i - size : i + size + 1, j - size : j + size + 1, k - size : k + size + 1]
    return float(block.mean())


def test_it_has_four_contrasts_on_one_millimetre_grid_in_mni_space(healthy: PatientFiles) -> None:
    assert [volume.contrast for volume in healthy.volumes] == ["T1w", "T2w", "FLAIR", "PDw"]
    grids = {(volume.grid.shape, volume.grid.affine.codes) for volume in healthy.volumes}
    assert grids == {((197, 233, 189), "RAS")}
    first = healthy.volumes[0].grid
    assert first.spacing == (1.0, 1.0, 1.0)
    assert all(first.same_as(volume.grid) for volume in healthy.volumes)
    assert healthy.lesions is None


def test_it_is_skull_stripped_and_has_signal_everywhere_inside(
    healthy: PatientFiles, anatomy: Anatomy
) -> None:
    for volume in healthy.volumes:
        assert np.array_equal(volume.array > 0, anatomy.mask)
    assert 1700e3 < anatomy.mask.sum() < 2000e3  # ml of brain and the fluid around it


def test_tissue_shares_fill_every_voxel(anatomy: Anatomy) -> None:
    assert np.allclose(anatomy.white + anatomy.grey + anatomy.fluid, 1, atol=1e-5)
    assert min(share.min() for share in (anatomy.white, anatomy.grey, anatomy.fluid)) >= 0


def test_template_intensity_follows_t1_for_the_fluid_it_was_not_fitted_to(anatomy: Anatomy) -> None:
    for tissue, share in ((WHITE, anatomy.white), (GREY, anatomy.grey), (FLUID, anatomy.fluid)):
        assert t1w_of(tissue.t1_ms) == pytest.approx(float(np.median(anatomy.t1w[share > 0.97])), abs=0.03)


def test_t1w_is_the_template_itself(healthy: PatientFiles, anatomy: Anatomy) -> None:
    t1w = scan(healthy, "T1w").array[anatomy.mask] / 1000
    assert np.abs(t1w - anatomy.t1w).max() < 1e-3


def test_tissues_look_as_a_radiologist_expects(healthy: PatientFiles, anatomy: Anatomy) -> None:
    def tissues(contrast: str) -> tuple[float, float, float]:
        volume = scan(healthy, contrast)
        shares = (anatomy.white > 0.95, anatomy.grey > 0.9, anatomy.fluid > 0.97)
        white, grey, fluid = (mean_in(volume, anatomy, share) for share in shares)
        return white, grey, fluid

    white, grey, fluid = tissues("T2w")
    assert 1.4 < grey / white < 2.0
    assert fluid > 2 * grey
    white, grey, fluid = tissues("FLAIR")
    assert 1.1 < grey / white < 1.5
    assert fluid < 0.1 * white
    white, grey, fluid = tissues("PDw")
    assert 1.05 < grey / white < 1.3
    assert 0.8 < fluid / white < 1.2


def test_partial_volumes_of_opposite_sign_cancel() -> None:
    half = np.full(1, 0.5, dtype=np.float32)
    early = Sequence(tr_ms=9000, te_ms=100, ti_ms=2000)  # fluid is still inverted, white matter is not
    white, fluid = brain._uniform(half, WHITE), brain._uniform(half, FLUID)
    apart = [float(brain._magnitude([part], early)[0]) for part in (white, fluid)]
    together = float(brain._magnitude([white, fluid], early)[0])
    assert together == pytest.approx(abs(apart[0] - apart[1]), abs=1e-6)
    assert together < max(apart)


def test_iron_darkens_the_pallidum_on_t2_weighted_scans(healthy: PatientFiles) -> None:
    for contrast in ("T2w", "FLAIR"):
        volume = scan(healthy, contrast)
        pallidum, white = mean_at(volume, (19.5, -4.0, -1.0)), mean_at(volume, (28.0, -25.0, 28.0))
        assert pallidum < 0.8 * white


def test_simulated_scans_are_not_flat_where_the_template_has_texture(
    healthy: PatientFiles, anatomy: Anatomy
) -> None:
    pure = anatomy.white > 0.97
    t1w = anatomy.t1w[pure]
    t2w = scan(healthy, "T2w").array[anatomy.mask][pure]
    assert np.corrcoef(t1w, t2w)[0, 1] < -0.5


def test_every_simulated_scan_says_so_and_is_neither_scan_nor_synthesis(healthy: PatientFiles) -> None:
    for contrast in SIMULATED:
        volume = scan(healthy, contrast)
        assert "simulated" in volume.name
        assert any(
            "simulated" in note and "neither acquired nor made by a model" in note for note in volume.notes
        )
        assert any("TR" in note and "exp(-TE/T2)" in note for note in volume.notes)
        assert not volume.is_synthetic
    assert any("T2w, FLAIR, PDw: simulated" in note for note in healthy.notes)
    assert any("average of 152" in note for note in scan(healthy, "T1w").notes)


def test_a_saved_copy_still_says_that_it_is_simulated(healthy: PatientFiles, tmp_path: Path) -> None:
    import nibabel

    path = write_volume(tmp_path / "flair.nii.gz", scan(healthy, "FLAIR"))
    header = nibabel.load(path).header
    assert bytes(header["descrip"]).startswith(b"SIMULATED FLAIR")
    assert int(header["sform_code"]) == 4
    back = read_image(path, kind="scan")
    assert np.array_equal(back.array, scan(healthy, "FLAIR").array)
    assert not back.is_synthetic


def test_another_seed_gives_other_noise_of_known_size(
    healthy: PatientFiles, brain_of: Callable[..., PatientFiles]
) -> None:
    other = brain_of(seed=1)
    for contrast in SIMULATED:
        apart = scan(other, contrast).array.astype(float) - scan(healthy, contrast).array
        assert 8 < apart[scan(healthy, "T1w").array > 600].std() < 20
    assert np.array_equal(scan(other, "T1w").array, scan(healthy, "T1w").array)


def test_the_lesion_is_on_the_right_and_only_there(ill: PatientFiles) -> None:
    assert ill.lesions is not None
    assert dict(ill.lesions.labels) == lesion.LABELS
    assert ill.lesions.present == (1, 2, 3)
    points_mm = ill.lesions.grid.affine.apply(np.argwhere(ill.lesions.array))
    assert points_mm[:, 0].min() > 5  # RAS: right is positive
    assert np.linalg.norm(points_mm.mean(axis=0) - lesion.CENTRE_MM) < 12
    assert 20e3 < len(points_mm) < 90e3  # 1 mm voxels: 20 to 90 ml


def test_the_lesion_shows_in_every_contrast_and_nothing_else_changes(
    healthy: PatientFiles, ill: PatientFiles
) -> None:
    assert ill.lesions is not None
    solid, oedema = ill.lesions.array == 3, ill.lesions.array == 2
    for contrast, brighter in (("T1w", False), ("T2w", True), ("FLAIR", True), ("PDw", True)):
        before, after = (scan(patient, contrast).array.astype(float) for patient in (healthy, ill))
        for part in (solid, oedema):
            assert (after[part].mean() > 1.02 * before[part].mean()) == brighter, contrast
        far = np.zeros(before.shape, dtype=bool)
        far[:98] = True  # the left half
        assert np.array_equal(before[far], after[far])  # the same seed: the same noise, too


def test_oedema_spares_the_fluid(ill: PatientFiles, anatomy: Anatomy) -> None:
    assert ill.lesions is not None
    assert not (ill.lesions.array[anatomy.mask][anatomy.fluid > 0.6] > 0).any()


def test_necrosis_is_darker_than_the_tumour_around_it_on_flair(ill: PatientFiles) -> None:
    assert ill.lesions is not None
    flair = scan(ill, "FLAIR").array
    assert flair[ill.lesions.array == 1].mean() < 0.95 * flair[ill.lesions.array == 3].mean()


def test_steps_tell_progress_and_can_be_stopped() -> None:
    steps = simulate_brain()
    told = [next(steps), next(steps)]
    steps.close()
    assert [progress.message for progress in told] == ["Reading the template", "Simulating T2w"]
    assert told[0].fraction < told[1].fraction < 1


def test_without_nilearn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SampleError, match="nilearn") as caught:
        digital_brain()
    assert "pip install nilearn" in caught.value.hint
