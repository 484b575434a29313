"""The engine: right voxels in the right place, encodings used again, displayed slice first, clean cancel."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import Affine, Grid, Member, Source, Study
from napari_mrsynth.synthesis import Request, Result, Step
from phantoms import brain_study
from synthesis.fakes import FACTOR, WEIGHT, FakePredictor, fake_engine, plan


def finish(steps: Generator[Step, None, Result]) -> tuple[Result, list[Step]]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def expected(study: Study, used: tuple[str, ...], wanted: str, units_of: str) -> np.ndarray[Any, Any]:
    """What the fake makes, by hand, on the native grid."""
    mask = study.mask.array
    means = {c: float(study.volume(c).array[mask].mean(dtype=np.float64)) for c in used}
    fused = np.max([study.volume(c).array / means[c] * WEIGHT[c] for c in used], axis=0)
    return np.where(mask, fused * FACTOR[wanted] * means[units_of], 0)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIR"])
def test_outputs_are_right_on_the_native_grid_of_any_axis_order(tmp_path: Path, codes: str) -> None:
    study = brain_study(codes=codes)
    engine = fake_engine(tmp_path, FakePredictor())
    request = Request(("FLAIR", "T1ce"), ("T1w", "T2w"), source_map=True)
    result, _ = finish(engine.run(study, request))
    for contrast in request.wanted:
        made = result.outputs[contrast]
        truth = expected(study, request.used, contrast, "T1w")
        np.testing.assert_allclose(made.array, truth, rtol=2e-3, atol=1e-2)
        assert made.array.dtype == np.float32
        assert made.grid is study.grid
        assert made.name == f"{contrast} (synthetic)"
        assert made.is_synthetic
    mask = study.mask.array
    weighed = [study.volume(c).array / study.volume(c).array[mask].mean() * WEIGHT[c] for c in request.used]
    clear = mask & (np.abs(weighed[0] - weighed[1]) > 0.01)
    np.testing.assert_array_equal(result.source_map.array[clear], np.argmax(weighed, axis=0)[clear] + 1)
    assert result.source_map.labels == {1: "T1w", 2: "T2w"}
    assert not result.source_map.array[~mask].any()


def test_a_grid_of_another_spacing_comes_back_on_itself(tmp_path: Path) -> None:
    study = brain_study(shape=(36, 44, 14), spacing=(4, 4, 9), tilt_deg=(5, 0, 3))
    result, _ = finish(fake_engine(tmp_path, FakePredictor()).run(study, Request(("FLAIR",), ("T1w",))))
    made, mask = result.outputs["FLAIR"].array, study.mask.array
    assert made.shape == study.grid.shape
    truth = expected(study, ("T1w",), "FLAIR", "T1w")
    assert np.corrcoef(made[mask], truth[mask])[0, 1] > 0.8
    assert not made[~mask].any()
    assert any("9.0 mm" in warning for warning in result.warnings)


def test_the_scale_of_a_present_truth_is_never_used(tmp_path: Path) -> None:
    study = brain_study()
    flair = study.members["FLAIR"].native
    brighter = flair.with_array(flair.array * 100)
    louder = replace(
        study,
        reference="FLAIR",
        members={
            **study.members,
            "FLAIR": replace(study.members["FLAIR"], native=brighter, on_reference=brighter),
        },
    )
    engine = fake_engine(tmp_path, FakePredictor())
    request = Request(("FLAIR",), ("T2w", "T1w"))
    quiet, _ = finish(engine.run(replace(study, reference="FLAIR"), request))
    loud, _ = finish(engine.run(louder, request))
    np.testing.assert_array_equal(quiet.outputs["FLAIR"].array, loud.outputs["FLAIR"].array)
    assert loud.provenance["FLAIR"]["output_units"]["of"] == "T2w"


def test_a_scan_of_a_part_of_the_brain_is_scaled_by_what_it_shows_and_that_is_told(tmp_path: Path) -> None:
    whole = brain_study(("T1w", "T2w"), codes="RAS")
    scan, matrix = whole.volume("T2w"), whole.grid.affine.matrix.copy()
    matrix[:3, 3] = whole.grid.affine.apply((0, 22, 0))
    cut = scan.with_array(scan.array[:, 22:].copy(), Grid((36, 22, 32), Affine(matrix)))
    half = scan.array.copy()
    half[:, :22] = 0
    members = {**whole.members, "T2w": Member(cut, scan.with_array(half))}
    part = replace(whole, members=members)
    engine = fake_engine(tmp_path, FakePredictor())
    result, _ = finish(engine.run(part, Request(("FLAIR",), ("T1w", "T2w"))))
    mask = whole.mask.array.copy()
    mask[:, :22] = False
    scale = result.provenance["FLAIR"]["inputs"]["T2w"]["normalisation"]["scale"]
    assert scale == pytest.approx(float(scan.array[mask].mean(dtype=np.float64)), rel=1e-5)
    share = mask.sum() / whole.mask.array.sum()
    assert result.warnings == (
        f"T2w shows only {share:.0%} of the brain; elsewhere the result is made without it.",
    )


def test_a_toggle_encodes_nothing_again_and_gives_the_same_as_from_scratch(tmp_path: Path) -> None:
    study, predictor = brain_study(), FakePredictor()
    engine = fake_engine(tmp_path, predictor)
    finish(engine.run(study, Request(("FLAIR",), ("T1w", "T1ce", "T2w"))))
    before = len(predictor.encoded)
    toggled, _ = finish(engine.run(study, Request(("FLAIR",), ("T1w", "T2w"))))
    assert len(predictor.encoded) == before
    fresh, _ = finish(
        fake_engine(tmp_path / "other", FakePredictor()).run(study, Request(("FLAIR",), ("T1w", "T2w")))
    )
    np.testing.assert_array_equal(toggled.outputs["FLAIR"].array, fresh.outputs["FLAIR"].array)


def test_other_voxels_another_mask_or_another_motion_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    study, predictor = brain_study(contrasts=("T1w", "T2w")), FakePredictor()
    engine = fake_engine(tmp_path, predictor)
    request = Request(("FLAIR",), ("T2w",))

    def encodings(changed: Study) -> int:
        before = len(predictor.encoded)
        finish(engine.run(changed, request))
        return len(predictor.encoded) - before

    first = encodings(study)
    assert first > 0
    assert encodings(study) == 0
    member = study.members["T2w"]
    other = member.native.with_array(member.native.array + 1)
    changed = {**study.members, "T2w": replace(member, native=other, on_reference=other)}
    assert encodings(replace(study, members=changed)) == first
    smaller = study.mask.array.copy()
    smaller[: smaller.shape[0] // 2] = False
    assert encodings(replace(study, mask=replace(study.mask, array=smaller))) > 0
    moved = np.eye(4)
    moved[0, 3] = 4.0
    turned = replace(member, motion=replace(member.motion, matrix=moved, how="aligned"))
    assert encodings(replace(study, members={**study.members, "T2w": turned})) == first


def test_a_cache_that_is_too_small_costs_time_but_no_voxel(tmp_path: Path) -> None:
    study, request = brain_study(), Request(("FLAIR",), ("T1w", "T2w"))
    roomy, _ = finish(fake_engine(tmp_path / "a", FakePredictor()).run(study, request))
    engine = fake_engine(tmp_path / "b", FakePredictor(), cache_bytes=20_000)
    tight, _ = finish(engine.run(study, request))
    np.testing.assert_array_equal(roomy.outputs["FLAIR"].array, tight.outputs["FLAIR"].array)
    assert engine.cache.nbytes <= 20_000


def test_the_displayed_slice_comes_first_and_is_the_one_of_the_result(tmp_path: Path) -> None:
    study = brain_study()
    result, steps = finish(
        fake_engine(tmp_path, FakePredictor()).run(study, Request(("FLAIR",), ("T1w",)), first_slice=20)
    )
    shown = [step for step in steps if step.planes]
    assert len(shown) == 1
    index, plane = shown[0].planes["FLAIR"]
    assert index == 20
    assert shown[0].progress.fraction < 0.2
    np.testing.assert_array_equal(plane, result.outputs["FLAIR"].display[20])


@pytest.mark.parametrize("spacing", [(4, 4, 4), (4, 4, 7)])
def test_a_preview_is_that_slice_of_the_result_and_makes_no_other(
    tmp_path: Path, spacing: tuple[float, float, float]
) -> None:
    study, predictor = brain_study(spacing=spacing), FakePredictor()
    engine = fake_engine(tmp_path, predictor)
    request = Request(("FLAIR", "T2w"), ("T1w", "T1ce"))
    planes = engine.preview(study, request, 15)
    assert len(predictor.encoded) <= 2 * 3
    result, _ = finish(engine.run(study, request))
    for contrast, plane in planes.items():
        np.testing.assert_allclose(plane, result.outputs[contrast].display[15], rtol=1e-5, atol=1e-3)
        assert plane.any()
    before = len(predictor.encoded)
    engine.preview(study, Request(("FLAIR",), ("T1ce",)), 15)
    assert len(predictor.encoded) == before


def test_a_preview_outside_the_brain_is_empty_and_free(tmp_path: Path) -> None:
    study, predictor = brain_study(), FakePredictor()
    plane = fake_engine(tmp_path, predictor).preview(study, Request(("FLAIR",), ("T1w",)), 0)["FLAIR"]
    assert plane.shape == study.grid.display.shape[1:]
    assert not plane.any()
    assert not predictor.encoded


def test_closing_the_generator_stops_the_work_and_keeps_what_is_valid(tmp_path: Path) -> None:
    study, predictor = brain_study(), FakePredictor()
    engine = fake_engine(tmp_path, predictor, used=plan(workers=2))
    request = Request(("FLAIR",), ("T1w", "T2w"))
    steps = engine.run(study, request, first_slice=16)
    while not next(steps).planes:
        pass
    steps.close()
    done = len(predictor.encoded)
    whole = fake_engine(tmp_path / "whole", FakePredictor())
    reference, _ = finish(whole.run(study, request))
    planned = len(whole.cache)
    assert done < planned
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mrsynth")]
    resumed, _ = finish(engine.run(study, request))
    np.testing.assert_array_equal(resumed.outputs["FLAIR"].array, reference.outputs["FLAIR"].array)
    assert len(predictor.encoded) == len(whole._loaded[1].encoded)  # type: ignore[index,attr-defined]


def test_progress_only_grows_and_ends_at_one(tmp_path: Path) -> None:
    _, steps = finish(
        fake_engine(tmp_path, FakePredictor()).run(brain_study(), Request(("FLAIR",), ("T1w",)))
    )
    fractions = [step.progress.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert steps[len(steps) // 2].progress.seconds_left is not None


def test_several_workers_and_batches_give_the_same_voxels(tmp_path: Path) -> None:
    study, request = brain_study(), Request(("FLAIR",), ("T1w", "T2w"))
    threads = torch.get_num_threads()
    one, _ = finish(fake_engine(tmp_path / "a", FakePredictor()).run(study, request))
    many, _ = finish(
        fake_engine(tmp_path / "b", FakePredictor(), used=plan(workers=3)).run(
            study, replace(request, batch=5)
        )
    )
    np.testing.assert_array_equal(one.outputs["FLAIR"].array, many.outputs["FLAIR"].array)
    assert torch.get_num_threads() == threads


def test_provenance_tells_everything_and_is_json(tmp_path: Path) -> None:
    study = brain_study()
    native = study.members["T1w"].native
    named = replace(native, source=Source(Path("/secret/folder/scan_t1.nii.gz"), "nifti", header="head"))
    member = replace(study.members["T1w"], native=named, on_reference=named)
    study = replace(study, members={**study.members, "T1w": member}, steps=({"step": "mask"},))
    engine = fake_engine(tmp_path, FakePredictor())
    result, _ = finish(engine.run(study, Request(("FLAIR",), ("T1w", "T2w"))))
    notes = json.loads(json.dumps(result.provenance["FLAIR"]))
    assert notes["Synthetic"] is True
    assert "not for diagnosis" in notes["statement"]
    assert notes["bundle"]["id"] == "fake"
    assert notes["bundle"]["weights_sha256"] == engine.store.get("fake").card.weights_sha256
    assert list(notes["inputs"]) == ["T1w", "T2w"]
    assert notes["inputs"]["T1w"]["file"] == "scan_t1.nii.gz"
    assert notes["inputs"]["T1w"]["fingerprint"] == named.fingerprint
    assert notes["inputs"]["T1w"]["normalisation"]["scale"] == pytest.approx(
        float(native.array[study.mask.array].mean(dtype=np.float64)), rel=1e-5
    )
    assert notes["steps"] == [{"step": "mask"}]
    assert "secret" not in json.dumps(notes)
    made = result.outputs["FLAIR"]
    assert made.source.synthetic == result.provenance["FLAIR"]
    assert made.source.header == "head"
    assert result.peak_rss_bytes > 1e6


def test_a_synthetic_input_is_told(tmp_path: Path) -> None:
    study = brain_study()
    member = study.members["T1w"]
    made = replace(member.native, source=Source(format="nifti", synthetic={"by": "x"}))
    study = replace(study, members={**study.members, "T1w": replace(member, native=made, on_reference=made)})
    result, _ = finish(fake_engine(tmp_path, FakePredictor()).run(study, Request(("FLAIR",), ("T1w",))))
    assert any("itself made by a model" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("wanted", "used", "changes", "says"),
    [
        (("FLAIR",), (), {}, "No input is switched on. Switch on at least one of T1w, T1ce, T2w, PDw."),
        ((), ("T1w",), {}, "Nothing is asked for."),
        (("T1w",), ("T1w", "T2w"), {}, "T1w is both an input and wanted. Switch it off"),
        (("FLAIR",), ("DWI",), {}, "DWI is not in this study. It has T1w"),
        (("SWI",), ("T1w",), {}, "SWI cannot be made by this model: it makes T1w, T1ce, T2w, FLAIR."),
        (("FLAIR",), ("PDw",), {}, "PDw cannot be read by this model"),
        (("FLAIR",), ("T1w",), {"mask": None}, "This study has no brain mask. Give one: --mask FILE"),
        (
            *(("FLAIR",), ("T1w",), {"mask": None, "notes": ("No brain mask: T1w is a slab.",)}),
            "No brain mask: T1w is a slab. Give one: --mask FILE",
        ),
    ],
)
@pytest.mark.parametrize("bundle", ["auto", "fake"])
def test_check_says_what_is_in_the_way(
    tmp_path: Path,
    wanted: tuple[str, ...],
    used: tuple[str, ...],
    changes: dict[str, Any],
    says: str,
    bundle: str,
) -> None:
    study = replace(brain_study(contrasts=("T1w", "T1ce", "T2w", "PDw")), **changes)
    engine = fake_engine(tmp_path, FakePredictor())
    request = Request(wanted, used, bundle=bundle)
    assert says in str(engine.check(study, request))
    with pytest.raises(InputError) as caught:
        next(engine.run(study, request))
    assert says in str(caught.value)


def test_check_is_content_with_what_can_be_run(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, FakePredictor())
    assert engine.check(brain_study(), Request(("FLAIR",), ("T1w",))) is None
    assert "no model 'gone'" in str(engine.check(brain_study(), Request(("FLAIR",), ("T1w",), bundle="gone")))


def test_an_empty_mask_and_an_empty_scan_are_refused(tmp_path: Path) -> None:
    study = brain_study()
    engine = fake_engine(tmp_path, FakePredictor())
    nothing = replace(study.mask, array=np.zeros_like(study.mask.array))
    assert "mask is empty" in str(engine.check(replace(study, mask=nothing), Request(("FLAIR",), ("T1w",))))
    member = study.members["T1w"]
    blank = member.native.with_array(np.zeros_like(member.native.array))
    study = replace(
        study, members={**study.members, "T1w": replace(member, native=blank, on_reference=blank)}
    )
    with pytest.raises(InputError, match="cannot be normalised"):
        finish(engine.run(study, Request(("FLAIR",), ("T1w",))))
