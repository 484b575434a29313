"""Fine-tuning on a few patients: judged on what was kept aside, rolled back when that is not made better."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from imageio.v3 import imread

from napari_mrsynth.bundles import Bundle, Card, save_bundle
from napari_mrsynth.errors import ConfigError, InputError, OutputError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.training.adapt import Pace, errors
from napari_mrsynth.training.checkpoints import DivergedError
from napari_mrsynth.training.export import stored_state
from napari_mrsynth.training.finetune import FineTune, finetune
from napari_mrsynth.training.transfer import Addition
from phantoms import brain_study, patient_folder

CONTRASTS = ["T1w", "T2w", "FLAIR"]
SPEC = {
    "inputs": CONTRASTS,
    "outputs": CONTRASTS,
    "latent": 4,
    "encoder": "residual",
    "decoder": "residual",
    "fusion": "max-mean-spread",
    "encoder_widths": [4, 8],
    "decoder_widths": [8, 8],
}
PACE = Pace(steps=40, batch=4, crop=32, lr=5e-3)


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Bundle:
    """A network that has learnt nothing yet: any training helps it."""
    torch.manual_seed(0)
    network = build("anysubset", SPEC)
    card = Card(
        id="parent",
        title="A parent",
        summary="",
        system="anysubset",
        network={"name": "anysubset", **SPEC},
        inputs=tuple(CONTRASTS),
        outputs=tuple(CONTRASTS),
        spacing_mm=6.0,
        neighbours=0,
        normalisation={"method": "foreground-mean"},
        training={"subjects": [{"id": "someone", "sha256": "0" * 64}]},
    )
    return save_bundle(tmp_path_factory.mktemp("parent") / "parent", card, network.state_dict())


@pytest.fixture(scope="module")
def patients(tmp_path_factory) -> list[Path]:
    """Three patients with four contrasts, 32 slices each; the third without FLAIR."""
    root = tmp_path_factory.mktemp("patients")
    folders = []
    for number in range(3):
        contrasts = ("T1w", "T2w", "PDw") if number == 2 else ("T1w", "T2w", "FLAIR", "PDw")
        name = f"Jane Doe {number}"
        study = brain_study(contrasts, shape=(24, 28, 34), spacing=(6, 6, 4), seed=number, name=name)
        folders.append(patient_folder(root / study.name, study, naming="scan_{contrast}.nii.gz"))
    return folders


@pytest.fixture
def settings(parent, patients, tmp_path) -> FineTune:
    return FineTune(
        parent,
        tuple(patients[:2]),
        parts="all",
        pace=PACE,
        out=tmp_path / "mine",
        cache=str(patients[0].parent.parent / "prepared"),
    )


def test_the_model_is_kept_when_the_patient_kept_aside_is_made_better(settings, parent):
    outcome = finetune(settings)
    before, after = outcome.means
    assert after < before
    assert outcome.learnt_from == ("Jane Doe 0",)
    assert outcome.kept_aside == "the patient Jane Doe 1"
    assert len(outcome.before) == 9
    assert outcome.bundle == settings.out
    card = Card.load(outcome.bundle)
    assert card.id.startswith("parent-")
    assert card.training["parent"] == {"id": "parent", "weights_sha256": parent.card.weights_sha256}
    assert [entry["id"][:4] for entry in card.training["subjects"]] == ["some", "own-"]
    assert len(card.training["kept_aside"]) == 1
    figures = card.results["fine-tuning"]["T1w>T2w"]
    assert figures["after"] == pytest.approx(outcome.after["T1w>T2w"], abs=1e-5)
    assert "Jane" not in (outcome.bundle / "card.yaml").read_text()
    load_predictor(Bundle.open(outcome.bundle))


def test_a_model_that_is_not_better_is_rolled_back_and_the_parent_kept(settings, parent):
    state = parent.state()
    outcome = finetune(replace(settings, pace=replace(PACE, steps=2, lr=0.0)))
    assert outcome.rolled_back
    assert outcome.means[0] == pytest.approx(outcome.means[1])
    assert not settings.out.exists()
    assert all(torch.equal(value, state[name]) for name, value in parent.state().items())


def test_a_model_that_got_worse_is_rolled_back(settings, parent):
    first = finetune(replace(settings, out=settings.out.parent / "first", pace=replace(PACE, steps=100)))
    good = Bundle.open(first.bundle)
    outcome = finetune(replace(settings, bundle=good, pace=replace(PACE, steps=3, lr=0.5)))
    assert outcome.means[1] > outcome.means[0]
    assert outcome.rolled_back
    assert not settings.out.exists()


def test_with_one_patient_slices_are_kept_aside_and_that_is_said(settings, patients):
    picture = settings.out.parent / "shown.png"
    outcome = finetune(replace(settings, patients=(patients[0],), picture=picture))
    height, width = imread(picture).shape[:2]
    assert height < width  # three contrasts by five columns
    assert outcome.by_slices
    assert "slices" in outcome.kept_aside
    assert "little about other patients" in outcome.kept_aside
    assert "says little" in Card.load(outcome.bundle).results["how"]


def test_slices_that_are_learnt_from_show_nothing_of_those_kept_aside(settings, patients, tmp_path):
    from napari_mrsynth.training.aside import keep_aside
    from napari_mrsynth.training.config import DataConfig
    from napari_mrsynth.training.prepared import prepare
    from napari_mrsynth.training.subjects import Subject

    data = DataConfig("", contrasts=("T1w", "T2w"), spacing_mm=6.0, cache=settings.cache)
    patient = prepare(Subject("p", patients[0]), replace(data, spacing_mm=3.0))
    aside = keep_aside([patient], (), 1)
    learnt = np.flatnonzero(aside.learn[0].mask.any(axis=(1, 2)))
    assert learnt.size
    assert aside.planes.size
    assert (
        np.abs(learnt[:, None] - aside.planes).min() > 2
    )  # the neighbours of one are no neighbours of the other


def test_slices_that_are_learnt_from_were_interpolated_from_none_of_those_kept_aside(settings, tmp_path):
    from napari_mrsynth.training.aside import keep_aside
    from napari_mrsynth.training.config import DataConfig
    from napari_mrsynth.training.prepared import prepare
    from napari_mrsynth.training.subjects import Subject

    thick = 6.0
    study = brain_study(("T1w", "T2w"), shape=(24, 28, 24), spacing=(6, 6, thick), name="thick")
    folder = patient_folder(tmp_path / "thick", study)
    data = DataConfig("", contrasts=("T1w", "T2w"), spacing_mm=1.5, cache=str(tmp_path / "prepared"))
    aside = keep_aside([prepare(Subject("p", folder), data)], (), 0)
    learnt = np.flatnonzero(aside.learn[0].mask.any(axis=(1, 2)))
    assert learnt.size
    assert aside.planes.size
    assert np.abs(learnt[:, None] - aside.planes).min() * 1.5 >= 2 * thick  # each has one above, one below


def test_a_patient_the_parent_knows_is_not_the_one_kept_aside(settings, patients, tmp_path):
    first = finetune(replace(settings, patients=(patients[1], patients[0])))
    child = Bundle.open(first.bundle)
    again = finetune(replace(settings, bundle=child, out=tmp_path / "again"))
    assert again.kept_aside == "the patient Jane Doe 0"


def test_patients_who_lack_a_contrast_are_learnt_from_with_what_they_share(settings, patients):
    outcome = finetune(replace(settings, patients=tuple(patients)))
    assert set(outcome.before) == {"T1w>T2w", "T2w>T1w"}


def test_contrasts_that_took_no_part_are_said_to_be_unmeasured_on_the_card_too(settings, patients):
    outcome = finetune(replace(settings, patients=(patients[0], patients[2])))
    (note,) = outcome.notes
    assert "FLAIR took no part" in note
    assert Card.load(outcome.bundle).limits.endswith(note)
    assert not finetune(replace(settings, out=settings.out.parent / "other")).notes


def test_an_output_is_added_and_the_rest_of_the_model_unchanged(settings, parent):
    outcome = finetune(replace(settings, add_outputs=(Addition("PDw", "T2w"),)))
    assert {name.partition(">")[2] for name in outcome.before} == {"PDw"}
    card = Card.load(outcome.bundle)
    assert card.outputs == (*CONTRASTS, "PDw")
    assert card.training["learnt"] == "PDw added"
    state = Bundle.open(outcome.bundle).state()
    assert all(torch.equal(value, state[name]) for name, value in parent.state().items())


def test_a_contrast_of_the_users_own_is_added(settings, patients, tmp_path):
    mine = tuple(Path(shutil.copytree(patient, tmp_path / patient.name)) for patient in patients[:2])
    for patient in mine:
        (patient / "scan_PDw.nii.gz").rename(patient / "scan_CT.nii.gz")
    outcome = finetune(replace(settings, patients=mine, add_outputs=(Addition.parse("CT=T2"),)))
    assert {name.partition(">")[2] for name in outcome.before} == {"CT"}


def test_an_input_is_added_and_measured_in_every_subset_that_holds_it(settings):
    outcome = finetune(replace(settings, add_inputs=(Addition("PDw", "T2w"),)))
    assert all("PDw" in name.partition(">")[0] for name in outcome.before)
    assert Card.load(outcome.bundle).inputs == (*CONTRASTS, "PDw")


def test_a_patient_without_the_new_contrast_is_left_out_with_the_reason(settings, patients, tmp_path):
    study = brain_study(("T1w", "T2w"), shape=(24, 28, 34), spacing=(6, 6, 4), name="lonely")
    lonely = patient_folder(tmp_path / "lonely", study)
    outcome = finetune(replace(settings, patients=(*patients[:2], lonely), add_outputs=(Addition("PDw"),)))
    assert outcome.skipped == (("lonely", "has no PDw"),)


def test_stopping_leaves_nothing_behind(settings):
    class StoppedError(Exception):
        pass

    def stop(progress):
        if progress.fraction > 0.3:
            raise StoppedError

    with pytest.raises(StoppedError):
        finetune(settings, stop)
    assert not settings.out.exists()


def test_progress_only_rises_and_ends_at_one(settings):
    told = []
    finetune(replace(settings, pace=replace(PACE, steps=5)), lambda progress: told.append(progress.fraction))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_same_seed_gives_the_same_model(settings, tmp_path):
    first = finetune(replace(settings, out=tmp_path / "a"))
    second = finetune(replace(settings, out=tmp_path / "b"))
    a, b = Bundle.open(first.bundle), Bundle.open(second.bundle)
    assert a.card.id == b.card.id
    for name, value in a.state().items():
        torch.testing.assert_close(value, b.state()[name], rtol=1e-4, atol=1e-5)


def test_two_models_that_learnt_from_the_same_scans_are_two_models(settings, patients, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mrsynth.training.finetune.user_models", lambda: tmp_path / "models")
    monkeypatch.setattr("napari_mrsynth.training.child.user_models", lambda: tmp_path / "models")
    to_users = replace(settings, out=None)
    masked = shutil.copytree(patients[0], tmp_path / "masked" / patients[0].name)
    brain = nib.load(next(masked.glob("*T1w*")))
    smaller = np.asarray(brain.dataobj) > 0
    smaller[:, :, :8] = False
    nib.save(nib.Nifti1Image(smaller.astype(np.uint8), brain.affine), masked / "scan_brainmask.nii.gz")
    added = (Addition("PDw", "T2w"),), (Addition("PDw", "T1w"),)
    variants = [
        replace(to_users, patients=(patients[0],)),
        replace(to_users, patients=(patients[0], patients[1])),
        replace(to_users, patients=(masked,)),
        *(replace(to_users, add_outputs=each) for each in added),
    ]
    bundles = [finetune(variant).bundle for variant in variants]
    assert len(set(bundles)) == len(variants)
    assert all(bundle.is_dir() for bundle in bundles)


def test_without_the_packages_that_training_needs_it_is_said_how_to_get_them(settings, monkeypatch):
    monkeypatch.setattr("napari_mrsynth.training.extras.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="lightning") as told:
        finetune(settings)
    assert "napari-mrsynth[train]" in told.value.hint


def test_six_patients_or_none_are_refused(parent, patients):
    with pytest.raises(InputError, match="6 patients"):
        FineTune(parent, tuple(patients * 2))
    with pytest.raises(InputError, match="0 patients"):
        FineTune(parent, ())


def test_no_steps_are_refused(parent, patients):
    with pytest.raises(ConfigError, match="0 steps"):
        FineTune(parent, (patients[0],), pace=Pace(steps=0))


def test_a_patient_given_twice_is_refused(settings, patients):
    with pytest.raises(InputError, match="T1w of Jane Doe 0 is also a scan of Jane Doe 0"):
        finetune(replace(settings, patients=(patients[0], patients[0])))


@pytest.mark.parametrize("names", [("sub-01/ses-1", "sub-01/ses-2"), ("sub-01_ses-1", "sub-01_ses-2")])
def test_two_sessions_of_one_person_are_refused(settings, patients, tmp_path, names):
    folders = [
        shutil.copytree(folder, tmp_path / name) for folder, name in zip(patients, names, strict=False)
    ]
    with pytest.raises(InputError, match="are sessions of one person"):
        finetune(replace(settings, patients=tuple(folders)))


def test_sessions_of_two_people_that_are_called_alike_are_told_apart(settings, patients, tmp_path):
    names = ("sub-01/ses-1", "sub-02/ses-1")
    folders = [
        shutil.copytree(folder, tmp_path / name) for folder, name in zip(patients, names, strict=False)
    ]
    outcome = finetune(replace(settings, patients=tuple(folders), pace=replace(PACE, steps=1)))
    assert (outcome.learnt_from, outcome.kept_aside) == (("sub-01/ses-1",), "the patient sub-02/ses-1")


def test_patients_with_nothing_in_common_are_told_so(settings, tmp_path):
    folders = []
    for number, contrasts in enumerate((("T1w", "T2w"), ("T1w", "FLAIR"))):
        study = brain_study(contrasts, shape=(24, 28, 12), spacing=(6, 6, 11), seed=number, name=f"p{number}")
        folders.append(patient_folder(tmp_path / study.name, study))
    with pytest.raises(InputError, match="share only T1w: p0 has T1w, T2w; p1 has T1w, FLAIR"):
        finetune(replace(settings, patients=tuple(folders)))


def test_a_contrast_is_not_added_on_both_sides_at_once(settings):
    both = {"add_inputs": (Addition("PDw"),), "add_outputs": (Addition("PDw"),)}
    with pytest.raises(ConfigError, match="PDw cannot be added as an input and as an output at once"):
        finetune(replace(settings, **both))


def test_a_model_outlives_a_picture_that_cannot_be_written(settings, monkeypatch, tmp_path):
    def full(*_: object) -> None:
        raise OutputError("shown.png cannot be written: no space left.")

    monkeypatch.setattr("napari_mrsynth.training.before_after.BeforeAfter.draw", full)
    outcome = finetune(replace(settings, picture=tmp_path / "shown.png"))
    assert outcome.bundle == settings.out
    assert "no space left" in outcome.notes[-1]


def test_what_is_measured_is_what_is_stored(settings, monkeypatch):
    kinds = []
    monkeypatch.setattr("napari_mrsynth.training.export.LARGEST_FLOAT32_BYTES", 0)
    monkeypatch.setattr(
        "napari_mrsynth.training.finetune.stored_state", lambda network: stored_state(network, largest=0)
    )
    measure = errors
    monkeypatch.setattr(
        "napari_mrsynth.training.finetune.errors",
        lambda network, *rest: kinds.append(exact_in_half(network)) or measure(network, *rest),
    )
    finetune(settings)
    assert kinds[-1]


def exact_in_half(network: torch.nn.Module) -> bool:
    """Whether every kernel is a number that a float16 can be."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    return all(torch.equal(kernel, kernel.half().float()) for kernel in kernels)


def test_two_patients_who_share_one_scan_are_refused(settings, patients, tmp_path):
    again = tmp_path / "another name"
    shutil.copytree(patients[1], again)
    shutil.copyfile(patients[0] / "scan_T2w.nii.gz", again / "scan_T2w.nii.gz")
    with pytest.raises(InputError, match="T2w of another name is also a scan of Jane Doe 0"):
        finetune(replace(settings, patients=(patients[0], again)))


def test_a_patient_of_whom_the_parent_knows_a_single_scan_is_not_the_one_kept_aside(
    settings, patients, tmp_path
):
    first = finetune(replace(settings, patients=(patients[1], patients[0])))
    known = tmp_path / "known"
    shutil.copytree(patients[1], known)
    (known / "scan_T1w.nii.gz").unlink()  # what is left has another hash as a whole
    again = finetune(
        replace(
            settings,
            bundle=Bundle.open(first.bundle),
            patients=(patients[0], known),
            out=tmp_path / "again",
        )
    )
    assert again.kept_aside == "the patient Jane Doe 0"


def test_a_patient_saved_anew_is_known_again(settings, patients, tmp_path):
    first = finetune(replace(settings, patients=(patients[1], patients[0])))
    anew = tmp_path / "other name"
    shutil.copytree(patients[1], anew)
    for path in anew.iterdir():
        scan = nib.load(path)
        nib.save(nib.Nifti1Image(1.7 * scan.get_fdata(dtype=np.float32) + 1, scan.affine), path)
    child = replace(settings, bundle=Bundle.open(first.bundle), out=tmp_path / "again")
    assert finetune(replace(child, patients=(patients[0], anew))).kept_aside == "the patient Jane Doe 0"
    (note,) = finetune(replace(child, patients=(anew,), out=tmp_path / "alone")).notes
    assert "learnt from other name" in note
    with pytest.raises(InputError, match="of other name is also a scan of Jane Doe 1"):
        finetune(replace(settings, patients=(patients[1], anew), out=tmp_path / "both"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": "my model"}, "No model can be called 'my model'"),
        ({"pace": replace(PACE, lr=-1)}, "rate -1"),
        ({"pace": replace(PACE, seed=-1)}, "seed -1"),
        ({"pace": replace(PACE, crop=30)}, "side is 30, but this network needs a multiple of 4"),
    ],
)
def test_settings_nothing_can_be_learnt_with_are_refused_at_once(settings, changes, says):
    with pytest.raises(ConfigError, match=says):
        finetune(replace(settings, **changes), report=lambda progress: pytest.fail("it began"))


def test_another_model_is_neither_replaced_nor_hidden(settings, parent, tmp_path, monkeypatch):
    monkeypatch.setenv("MRSYNTH_MODELS", str(parent.folder.parent))
    shutil.copytree(parent.folder, settings.out)
    for changes, says in (
        ({}, "mine is there already"),
        ({"out": None, "id": "parent"}, "There is a model 'parent' already"),
    ):
        with pytest.raises(OutputError, match=says):
            finetune(replace(settings, **changes), report=lambda progress: pytest.fail("it began"))


def test_a_rate_that_breaks_the_weights_is_said_in_the_commands_own_words(settings):
    with pytest.raises(DivergedError, match=r"Give a lower --rate.*Nothing was written"):
        finetune(replace(settings, pace=replace(PACE, lr=1e30)))
    assert not settings.out.exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_learnt(settings, monkeypatch):
    monkeypatch.setattr("napari_mrsynth.io.atomic.os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match=r"mine cannot be written: .* is read-only"):
        finetune(settings, report=lambda progress: pytest.fail("it began"))


def test_the_parent_is_never_overwritten(settings, parent):
    with pytest.raises(OutputError, match="is the model that is fine-tuned"):
        finetune(replace(settings, out=parent.folder))


def test_patients_of_whom_none_can_be_used_are_refused_with_each_reason(settings, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No patient can be used: empty: "):
        finetune(replace(settings, patients=(tmp_path / "empty",)))
