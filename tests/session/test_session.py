"""What the session lets a user do, and what it says about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.errors import ContrastError, FormatError, MrsynthError, OutputError
from napari_mrsynth.imaging import LabelVolume, Source
from napari_mrsynth.session import Fit, Need, State, SynthesisSession
from phantoms import brain_study, phantom
from session.fakes import NO_GPU, FakeEngine, FakeStore, HandExecutor, card, parts


def opened(contrasts=("T1w", "T1ce", "T2w"), **others) -> SynthesisSession:
    session = SynthesisSession(parts=parts(brain_study(contrasts), **others))
    session.open(["anywhere"])
    return session


def heard(signal) -> list:
    news: list = []
    signal.connect(lambda *given: news.append(given[0] if given else None))
    return news


def test_starts_empty_and_says_what_to_do():
    session = SynthesisSession(parts=parts())
    assert session.status.state is State.EMPTY
    assert session.why_not() is not None
    assert session.rows == session.make_rows == ()


def test_missing_contrasts_are_ticked_when_a_patient_is_opened():
    session = opened()
    assert session.wanted == ("FLAIR",)
    assert session.status.state is State.READY
    assert "FLAIR from T1w, T1ce and T2w" in session.status.message


def test_what_an_input_gives_is_not_made_from_itself():
    session = opened()
    needs = {row.contrast: row.need for row in session.make_rows}
    assert needs == {"T1w": Need.IN_USE, "T1ce": Need.IN_USE, "T2w": Need.IN_USE, "FLAIR": Need.MISSING}
    session.want("T1w", True)
    assert "T1w" not in session.wanted


def test_a_contrast_that_is_switched_off_can_be_made():
    session = opened()
    session.switch("T2w", False)
    assert {row.contrast: row.need for row in session.make_rows}["T2w"] is Need.OFF
    session.want("T2w", True)
    assert session.request.wanted == ("T2w", "FLAIR")
    assert session.request.used == ("T1w", "T1ce")
    session.switch("T2w", True)
    assert session.wanted == ("FLAIR",)


def test_of_a_complete_patient_the_first_contrast_switched_off_is_ticked():
    session = opened(("T1w", "T1ce", "T2w", "FLAIR"))
    assert session.status.state is State.BLOCKED
    session.switch("FLAIR", False)
    assert session.wanted == ("FLAIR",)
    session.switch("T2w", False)
    assert session.wanted == ("FLAIR",)


def test_no_input_on_is_explained():
    session = opened(("T1w",))
    session.switch("T1w", False)
    assert session.status.state is State.BLOCKED
    assert "No input" in session.status.message
    session.synthesise()
    assert session.result is None


def test_what_no_model_takes_is_off_at_first_and_noted():
    session = opened(("T1w", "PDw"))
    assert session.study.inputs == ("T1w",)
    assert any("PDw switched off" in note for note in session.study.notes)


def test_the_preferred_contrast_of_a_complete_patient_is_switched_off_and_made():
    session = SynthesisSession(
        parts=parts(brain_study(("T1w", "T1ce", "T2w", "FLAIR"))), default_contrast="FLAIR"
    )
    session.open(["x"])
    assert session.wanted == ("FLAIR",)
    assert session.study.inputs == ("T1w", "T1ce", "T2w")


def test_a_choice_the_model_cannot_do_is_explained_with_its_own_words():
    session = opened(("T1w", "PDw"))
    session.switch("PDw", True)
    assert session.status.state is State.BLOCKED
    assert "PDw" in session.status.message


def test_synthesis_gives_planes_first_and_a_result_last():
    session = opened()
    planes, results, states = (
        heard(session.planes_made),
        heard(session.synthesised),
        heard(session.status_changed),
    )
    session.synthesise(first_slice=7)
    assert list(planes[0]) == ["FLAIR"]
    assert planes[0]["FLAIR"][0] == 7
    assert results == [session.result]
    assert states[0].state is State.BUSY
    assert session.status.state is State.DONE
    assert session.status.hint == "A warning."
    assert session.unsaved


def test_progress_carries_the_time_left():
    session = opened()
    states = heard(session.status_changed)
    session.synthesise()
    assert any(s.progress is not None and s.progress.seconds_left == 2.0 for s in states)


def test_cancel_takes_effect_at_once_and_leaves_no_result():
    executor, engine = HandExecutor(), FakeEngine()
    session = SynthesisSession(executor, parts(brain_study(("T1w", "T2w")), engine))
    session.open(["x"])
    executor.finish()
    results, dropped = heard(session.synthesised), heard(session.previews_dropped)
    session.synthesise(first_slice=3)
    executor.step()
    dropped.clear()
    session.cancel()
    assert not session.busy
    assert session.status.state is State.READY
    assert dropped
    executor.finish()
    assert engine.closed == 1
    assert results == []
    assert session.result is None


def test_steps_of_a_cancelled_job_are_not_shown():
    executor = HandExecutor()
    session = SynthesisSession(executor, parts(brain_study(("T1w", "T2w"))))
    session.open(["x"])
    executor.finish()
    session.synthesise(first_slice=3)
    session.cancel()
    session.want("T1ce", False)
    before = session.status
    executor.finish()
    assert session.status == before


def test_nothing_else_can_be_started_while_a_job_runs():
    executor = HandExecutor()
    session = SynthesisSession(executor, parts(brain_study(("T1w", "T2w"))))
    session.open(["x"])
    executor.finish()
    session.synthesise()
    with pytest.raises(MrsynthError, match="now"):
        session.rename("T1w", "PDw")
    with pytest.raises(MrsynthError, match="now"):
        session.open(["y"])


def test_a_failure_says_what_and_how_to_mend_it_and_keeps_the_patient():
    session = opened(engine=FakeEngine(fails=NO_GPU))
    session.synthesise()
    assert session.status.state is State.FAILED
    assert session.status.message == "There is no GPU here."
    assert session.status.hint == "Choose CPU."
    assert session.study is not None
    assert session.why_not() is None


def test_an_unexpected_error_is_told_as_a_bug_and_not_swallowed():
    session = opened(engine=FakeEngine(fails=ZeroDivisionError("x")))
    session.synthesise()
    assert "ZeroDivisionError" in session.status.message
    assert "bug" in session.status.hint


def test_a_file_that_cannot_be_read_leaves_the_open_patient_alone():
    session = opened()
    study = session.study

    def refuse(specs):
        raise FormatError("“x” is empty.", hint="Copy it again.")

    session.parts = replace(session.parts, read=refuse)
    session.open(["x"])
    assert session.study is study
    assert session.status.message == "“x” is empty."


def test_previews_come_for_what_is_chosen_and_the_latest_wins():
    executor, engine = HandExecutor(), FakeEngine()
    session = SynthesisSession(executor, parts(brain_study(("T1w", "T2w")), engine))
    session.open(["x"])
    executor.finish()
    planes = heard(session.planes_made)
    session.preview(4)
    session.switch("T2w", False)
    session.preview(5)
    executor.finish()
    assert len(planes) == 1
    assert {index for index, _ in planes[0].values()} == {5}
    assert engine.previews[-1][0].used == ("T1w",)


def test_a_preview_of_an_impossible_choice_only_drops_the_old_one():
    session = opened(("T1w",))
    session.switch("T1w", False)
    dropped = heard(session.previews_dropped)
    session.preview(1)
    assert dropped


def test_a_contrast_can_be_renamed_and_what_is_missing_follows():
    session = opened(("T1w", "T2w"))
    session.rename("T2w", "t2f")
    assert session.study.contrasts == ("T1w", "FLAIR")
    assert session.study.members["FLAIR"].native.confidence == 1
    assert "FLAIR" not in session.wanted


def test_two_scans_cannot_be_the_same_contrast():
    session = opened(("T1w", "T2w"))
    with pytest.raises(ContrastError, match="already here"):
        session.rename("T2w", "T1w")


def test_an_unknown_scan_is_off_until_it_is_named():
    study = brain_study(("T1w",))
    unknown = replace(phantom(contrast="T2w", affine=study.grid.affine, name="series7"), contrast=None)
    given = parts(study)
    read = given.read
    volumes = (*read([]).volumes, unknown)
    session = SynthesisSession(
        parts=replace(given, read=lambda specs: type(read([]))(**{**vars(read([])), "volumes": volumes}))
    )
    session.open(["x"])
    assert session.study.inputs == ("T1w",)
    session.rename("series7", "T2w")
    assert session.study.inputs == ("T1w", "T2w")


def test_what_was_painted_on_the_mask_counts_in_the_next_synthesis_and_preview():
    engine = FakeEngine()
    session = opened(engine=engine)
    labels = session.study.mask.array.astype(np.uint8)
    mask = LabelVolume(labels, session.study.grid, "mine")
    session.use_mask(lambda: mask)
    taken = session.study.mask
    session.synthesise()
    assert session.study.mask is taken
    labels[:, :, 20:] = 0
    assert session.study.mask.array[:, :, 20:].any()
    results = heard(session.synthesised)
    session.synthesise()
    assert not session.study.mask.array[:, :, 20:].any()
    assert len(results) == 1
    labels[:, :, :8] = 0
    session.preview(12)
    assert not session.study.mask.array[:, :, :8].any()
    assert len(engine.previews) == 1
    labels[...] = 0
    for _ in range(2):
        session.synthesise()
        assert session.status.state is State.FAILED
        assert "empty" in session.status.message
    assert len(results) == 1


def test_the_mask_of_one_patient_is_not_looked_at_for_the_next():
    session = opened()
    labels = session.study.mask.array.astype(np.uint8)
    mask = LabelVolume(labels, session.study.grid, "mine")
    session.use_mask(lambda: mask)
    session.open(["another"])
    found = session.study.mask
    labels[:, :, 20:] = 0
    session.synthesise()
    assert session.study.mask is found


def test_rows_say_how_each_contrast_lies_on_the_grid():
    session = opened()
    fits = {row.contrast: row.chip.fit for row in session.rows}
    assert fits == {"T1w": Fit.REFERENCE, "T1ce": Fit.SAME, "T2w": Fit.SAME}
    reference = session.rows[0]
    assert not reference.can_align
    assert "4 × 4 × 4 mm" in reference.chip.explanation


def test_saving_writes_every_output_and_refuses_to_overwrite(tmp_path: Path):
    written = []

    def write(path, volume, provenance):
        path.write_bytes(b"x")
        written.append((path.name, provenance["model"]))
        return path

    session = opened(write=write, file_name=lambda patient, contrast: f"{patient}_{contrast}.nii.gz")
    session.synthesise()
    session.save(tmp_path)
    assert written == [("phantom_FLAIR.nii.gz", "mean")]
    assert not session.unsaved
    with pytest.raises(OutputError, match="already"):
        session.save(tmp_path)
    session.save(tmp_path, overwrite=True)


def test_the_source_map_is_saved_with_what_was_made_when_it_was_made(tmp_path: Path):
    session = opened()
    session.synthesise()
    assert list(session.targets(tmp_path)) == ["FLAIR"]
    session.map_sources(True)
    session.synthesise()
    session.save(tmp_path)
    path = tmp_path / "sub-phantom_desc-synthetic_sourcemap.nii.gz"
    assert nib.load(path).get_data_dtype() == np.uint8
    assert path.with_name("sub-phantom_desc-synthetic_sourcemap.json").is_file()
    assert (tmp_path / "sub-phantom_desc-synthetic_FLAIR.nii.gz").is_file()
    assert path.name in session.status.message
    with pytest.raises(OutputError, match="sourcemap"):
        session.save(tmp_path)


def made(session: SynthesisSession, *wanted: str, source_map: bool = False) -> None:
    """Let a session make these contrasts alone."""
    for row in session.make_rows:
        session.want(row.contrast, row.contrast in wanted)
    session.map_sources(source_map)
    session.synthesise()


def test_what_an_earlier_synthesis_made_stays_unsaved_until_it_is_saved_with_the_later(tmp_path: Path):
    session = opened(("T1w", "T2w"))
    made(session, "FLAIR")
    first = session.result.outputs["FLAIR"]
    made(session, "T1ce")
    assert session.unsaved_in_words == "FLAIR and T1ce"
    assert set(session.targets(tmp_path)) == {"FLAIR", "T1ce"}
    session.save(tmp_path)
    assert not session.unsaved
    assert session.unsaved_in_words == ""
    saved = nib.load(tmp_path / "sub-phantom_desc-synthetic_FLAIR.nii.gz")
    np.testing.assert_allclose(np.sort(saved.get_fdata(), None), np.sort(first.array, None), rtol=1e-6)
    assert (tmp_path / "sub-phantom_ce-gd_desc-synthetic_T1w.nii.gz").is_file()
    assert set(session.targets(tmp_path)) == {"T1ce"}
    session.open(["another"])
    assert not session.unsaved


def test_a_source_map_is_saved_as_long_as_a_contrast_of_its_synthesis_is_here(tmp_path: Path):
    session = opened(("T1w", "T2w"))
    made(session, "FLAIR", source_map=True)
    made(session, "T1ce")
    assert set(session.targets(tmp_path)) == {"FLAIR", "T1ce", "sourcemap"}
    assert session.unsaved_in_words == "FLAIR, source map and T1ce"
    made(session, "FLAIR")
    assert set(session.targets(tmp_path)) == {"FLAIR", "T1ce"}


def test_a_save_that_is_cancelled_says_which_files_are_there_and_the_rest_stays_unsaved(tmp_path: Path):
    executor = HandExecutor()
    session = SynthesisSession(executor, parts(brain_study(("T1w", "T2w"))))
    session.open(["x"])
    executor.finish()
    session.synthesise()
    executor.finish()
    first, second = session.wanted
    session.save(tmp_path)
    executor.step()
    executor.step()
    session.cancel()
    executor.finish()
    [path] = tmp_path.glob("*.nii.gz")
    assert f"{path.name} had been written." in session.status.message
    assert "Nothing was changed" not in session.status.message
    assert session.targets(tmp_path)[first] == path
    assert session.unsaved_in_words == second


def test_a_save_that_is_cancelled_while_a_file_is_written_says_that_it_comes_still(tmp_path: Path):
    executor = HandExecutor()

    def write(path, volume, provenance):
        session.cancel()
        return path

    session = SynthesisSession(executor, parts(brain_study(("T1w", "T1ce", "T2w")), write=write))
    session.open(["x"])
    executor.finish()
    session.synthesise()
    executor.finish()
    session.save(tmp_path)
    executor.finish()
    assert "No file had been written." in session.status.message
    assert "sub-phantom_desc-synthetic_FLAIR.nii.gz is still being finished" in session.status.message
    assert session.unsaved


def test_what_was_written_before_saving_failed_counts_as_saved(tmp_path: Path):
    def write(path, volume, provenance):
        if "ce-gd" not in path.name:
            raise OutputError("The disk is full.")
        return path

    session = opened(("T1w", "T2w"), write=write)
    session.synthesise()
    session.save(tmp_path)
    assert session.status.message == "The disk is full."
    assert session.unsaved_in_words == "FLAIR"


def test_there_is_nothing_to_save_before_a_synthesis(tmp_path: Path):
    with pytest.raises(OutputError, match="nothing to save"):
        opened().save(tmp_path)


def test_scans_in_memory_can_make_a_study_and_join_one():
    study = brain_study(("T1w", "T2w", "FLAIR"))
    volumes = [study.volume(c) for c in ("T1w", "T2w")]
    session = SynthesisSession(parts=parts())
    session.add(volumes)
    session.add([study.volume("FLAIR")])
    assert session.study.contrasts == ("T1w", "T2w", "FLAIR")
    session.add([study.volume("FLAIR")])
    assert session.status.state is State.FAILED
    assert "already here" in session.status.message


def test_a_study_of_scans_in_memory_is_called_as_their_files_call_the_patient(tmp_path: Path):
    study = brain_study(("T1w", "T2w"))

    def read_from(contrast: str, path: Path):
        return replace(study.volume(contrast), name=contrast, source=Source(path=path, format="nifti"))

    named = {
        "sub-07": [tmp_path / "sub-07" / "anat" / f"sub-07_{word}.nii.gz" for word in ("T1w", "T2w")],
        "BraTS20_007": [tmp_path / "x" / f"BraTS20_007_{word}.nii.gz" for word in ("t1", "t2")],
        "Anna": [tmp_path / "Anna" / f"{word}.nii.gz" for word in ("T1", "T2")],
    }
    for name, paths in named.items():
        session = SynthesisSession(parts=parts())
        session.add([read_from(*pair) for pair in zip(("T1w", "T2w"), paths, strict=True)])
        assert session.study.name == name
    bare = SynthesisSession(parts=parts())
    bare.add([replace(study.volume("T1w"), name="head")])
    assert bare.study.name == "head"


def test_a_scan_that_shows_the_brain_in_place_of_one_that_does_not_brings_a_mask():
    good = brain_study(("T1w", "FLAIR"))
    flat, fair = (
        good.volume(c).with_array(np.full_like(good.volume(c).array, 5.0)) for c in ("T1w", "FLAIR")
    )
    session = SynthesisSession(parts=parts())
    session.add([flat, fair])
    assert session.study.mask is None
    session.add([good.volume("T1w")], instead=True)
    assert session.study.mask is not None
    assert not any("No brain mask" in note for note in session.study.notes)


@pytest.mark.parametrize("contrasts", [("T1w",), ("T1w", "T2w"), ("T2w", "T1w")])
def test_a_scan_can_take_the_place_of_the_one_that_is_here(contrasts):
    session = opened(contrasts)
    before = session.study
    other = before.volume("T1w").with_array(before.volume("T1w").array * 2)
    session.add([other], instead=True)
    assert session.study.volume("T1w").array is other.array
    assert set(session.study.contrasts) == set(contrasts)
    assert session.study.reference == before.reference
    assert session.study.active == before.active
    np.testing.assert_array_equal(session.study.mask.array, before.mask.array)


def test_removing_the_last_contrast_closes_the_patient():
    session = opened(("T1w",))
    session.remove("T1w")
    assert session.study is None
    assert session.status.state is State.EMPTY


def test_a_chosen_model_decides_what_is_offered():
    only_flair = card("narrow", outputs=("FLAIR",))
    session = opened(store=FakeStore(card(), only_flair))
    session.use_model("narrow")
    assert session.offered == ("FLAIR",)
    assert session.card.id == "narrow"
    session.use_model("auto")
    assert session.card.id == "mean"


def test_opening_another_patient_forgets_the_result():
    session = opened()
    session.synthesise()
    session.open(["another"])
    assert session.result is None


def test_another_patient_of_the_same_name_is_another_and_a_changed_one_is_not():
    session = opened()
    first = session.patient
    session.switch("T2w", False)
    session.rename("T2w", "PDw")
    session.remove("PDw")
    assert session.patient == first
    session.open(["another"])
    assert session.patient != first


def test_outputs_lie_on_the_reference_grid():
    session = opened()
    session.synthesise()
    output = session.result.outputs["FLAIR"]
    assert output.grid.same_as(session.study.grid)
    assert np.isfinite(output.array).all()


def test_without_a_model_that_is_what_it_says():
    store = FakeStore()
    store.cards().clear()
    session = opened(store=store)
    assert session.status.state is State.BLOCKED
    assert "No model is installed" in session.status.message
    assert "mrsynth models list" in session.status.hint
