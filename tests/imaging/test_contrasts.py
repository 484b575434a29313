"""Names of contrasts: every spelling of the field, what is guessed from a file name, and how surely."""

from __future__ import annotations

import pytest

from napari_mrsynth.imaging.contrasts import KNOWN, canonical, guess_from_name, is_label_name, known

NAMES = {
    "BraTS2021_01484_t1": "T1w",
    "BraTS2021_01484_t1ce": "T1ce",
    "BraTS2021_01484_t2": "T2w",
    "BraTS2021_01484_flair": "FLAIR",
    "BraTS-GLI-00001-000-t1n": "T1w",
    "BraTS-GLI-00001-000-t1c": "T1ce",
    "BraTS-GLI-00001-000-t2w": "T2w",
    "BraTS-GLI-00001-000-t2f": "FLAIR",
    "patient07_T1W": "T1w",
    "patient07_T1WKS": "T1ce",
    "patient12_study2_T2W": "T2w",
    "sub-01_ses-02_T1w": "T1w",
    "sub-01_ce-gd_T1w": "T1ce",
    "sub-01_ses-02_acq-3d_FLAIR": "FLAIR",
    "sub-01_PDw": "PDw",
    "sub-strokecase0009_ses-0001_dwi": "DWI",
    "sub-strokecase0009_ses-0001_adc": "ADC",
    "sub-01_T2starw": "T2star",
    "IXI012-HH-1211-PD": "PDw",
    "IXI012-HH-1211-MRA": "MRA",
    "t1_mprage_sag_p2_iso": "T1w",
    "t1_mpr_ax_post contrast": "T1ce",
    "t2_tirm_tra_dark-fluid": "FLAIR",
    "t2_space_dark-fluid_sag": "FLAIR",
    "Ax T2 FLAIR": "FLAIR",
    "Sag T1 FLAIR": "T1w",
    "ax_t1_gd": "T1ce",
    "t1_mprage_sag_post": "T1ce",
    "T1 SE ax +Gd": "T1ce",
    "sub-01_ses-post_T1w": "T1w",
    "T1w_post-op": "T1w",
    "T1POST_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI": "T1ce",
    "T2_to_T1": "T2w",
    "swi_mag": "SWI",
    "FLAIR (synthetic)": "FLAIR",
    "FLAIR post contrast": "FLAIR",
    "FLAIR T2 AX": "FLAIR",
    "T2_GRE": "T2star",
    "AX T2 HEMO": "T2star",
    "T1 GRE": "T1w",
    "AX POST CONTRAST": "T1ce",
    "C_T1": "T1w",
    "Bild T1 größe": "T1w",
    "Bild T1 gro\u0308ße": "T1w",
}


@pytest.mark.parametrize(("stem", "contrast"), NAMES.items(), ids=NAMES)
def test_the_contrast_is_guessed_from_a_file_name(stem, contrast):
    guess = guess_from_name(stem)
    assert guess.contrast == contrast
    assert 0.5 < guess.confidence < 1
    assert "in the name" in guess.reason


@pytest.mark.parametrize(
    "stem",
    [
        *("T1_pre_Gd", "AX T1 PRE GAD", "AX T1 W/O GAD", "AX T1 WO GD", "T1_no_gd", "T1_non_enhanced"),
        *("T1_without_gad", "T1_km_nativ", "T1 nativ", "T1 plain", "t1_precontrast", "T1 PRE IV CONTRAST"),
        *("PRE GAD AX T1", "T1 unenhanced", "T1 W/O IV CONTRAST", "T1 pre and post gad"),
    ],
)
def test_an_agent_that_was_not_given_makes_no_t1ce(stem):
    assert guess_from_name(stem).contrast == "T1w"


@pytest.mark.parametrize(
    "event",
    ["radiation", "biopsy", "resection", "op", "OP", "surgery", "RT", "chemo", "treatment", "processed"],
)
def test_after_a_treatment_is_not_after_an_agent(event):
    assert guess_from_name(f"T1_post_{event}").contrast == "T1w"
    assert guess_from_name(f"T1_post_gd_post_{event}").contrast == "T1ce"
    assert guess_from_name(f"T1_gd_pre_{event}").contrast == "T1ce"


@pytest.mark.parametrize(
    "stem",
    [
        *("SAG T1 MPRAGE +C", "MPRAGE + C", "MPRAGE +Gd", "T1 MPRAGE C+", "+C AX T1", "POST GAD AX T1"),
        *("AX T1 POST GAD", "T1 nach KM", "T1 with contrast", "t1_c", "T1_reg_gd", "T1 POST GAD no FS"),
    ],
)
def test_an_agent_that_was_given_makes_t1ce_surely(stem):
    guess = guess_from_name(stem)
    assert guess.contrast == "T1ce"
    assert guess.confidence > 0.9


@pytest.mark.parametrize(
    "stem", ["T1_km_nativ", "T1 pre and post gad", "GD_T1", "POST T1", "T1CE_native", "T1_post_night"]
)
def test_a_name_that_can_be_read_both_ways_is_doubted(stem):
    assert guess_from_name(stem).confidence < 0.8


@pytest.mark.parametrize(
    ("stem", "contrast"),
    [
        ("T1_in_FLAIR", "T1w"),
        ("T1_space-FLAIR", "T1w"),
        ("sub-01_space-T1w_FLAIR", "FLAIR"),
        ("sub-01_space-FLAIR_T1w", "T1w"),
        ("T1w_reg_T2w", "T1w"),
        ("T1_on_T2_FLAIR", "T1w"),
        ("T2_warped_to_T1", "T2w"),
        ("FLAIR_registered_T1", "FLAIR"),
        ("FLAIR_aligned_to_T1_gd", "FLAIR"),
        ("FLAIR_into_T2", "FLAIR"),
        ("registered_T2", "T2w"),
        ("sub-flair_T1w", "T1w"),
    ],
)
def test_what_a_scan_was_brought_onto_is_not_its_contrast(stem, contrast):
    assert guess_from_name(stem).contrast == contrast


@pytest.mark.parametrize(
    "stem", ["T2*", "AX T2* GRE", "T2*w", "T2star", "t2_star", "SWI", "T2_SWI", "SWI_T2"]
)
def test_t2_star_is_not_t2w(stem):
    assert guess_from_name(stem).contrast in ("T2star", "SWI")


@pytest.mark.parametrize("stem", ["image", "", "scan_003", "patient12", "sub-01_bold", "st1ff", "t", "12"])
def test_a_name_without_a_contrast_gives_none(stem):
    guess = guess_from_name(stem)
    assert guess.contrast is None
    assert guess.confidence == 0


@pytest.mark.parametrize("contrast", KNOWN, ids=lambda contrast: contrast.name)
def test_every_spelling_means_its_contrast_in_any_case(contrast):
    for spelling in (*contrast.spellings, contrast.name):
        assert canonical(spelling.upper()) == contrast.name
    assert known(contrast.name) is contrast


def test_no_spelling_means_two_contrasts():
    spellings = [spelling for contrast in KNOWN for spelling in contrast.spellings]
    assert len(spellings) == len(set(spellings))


def test_an_unknown_contrast_keeps_the_name_its_user_gave():
    assert canonical(" 7T MyFancySequence ") == "7T MyFancySequence"
    assert known("7T") is None


@pytest.mark.parametrize(
    ("stem", "labels"),
    [
        ("BraTS2021_01484_seg", True),
        ("patient07_consensus_gt", True),
        ("patient12_study2_FLAIR_brainmask", True),
        ("sub-01_ses-0001_msk", True),
        ("patient10_gs", True),
        ("bwsrsub-187_lesion", True),
        ("BraTS2021_01484_t1", False),
        ("sub-segovia_T1w", False),
    ],
)
def test_a_name_says_whether_it_holds_labels(stem, labels):
    assert is_label_name(stem) is labels
