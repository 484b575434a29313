"""The “Training” dock without a window: a fake process, real patients, every state."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from gui.training.fakes import Answers, FakeProcess
from napari_mrsynth.errors import InputError
from napari_mrsynth.gui.training.configurations import shipped
from napari_mrsynth.gui.training.dock import TrainingDock
from napari_mrsynth.gui.training.patient_list import PatientList
from napari_mrsynth.gui.training.patients import DataFolder, Patient
from napari_mrsynth.gui.training.process import Ended
from napari_mrsynth.gui.training.session import Mode, TrainingSession
from napari_mrsynth.gui.training.telling import Phase, fine_tuned, trained
from napari_mrsynth.gui.training.train_panel import AS_CONFIGURED
from napari_mrsynth.imaging import BrainMask, Rigid
from napari_mrsynth.io import read_patient
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.progress import Progress
from napari_mrsynth.training.config import TrainConfig, load_config
from phantoms import affine_of, brain_study, patient_folder, phantom, rotation

REPORT = {
    "bundle": "/models/mine",
    "rolled_back": False,
    "learnt_from": ["a"],
    "kept_aside": "the patient b",
    "by_slices": False,
    "nmse": {
        "before": {"T1w>T2w": 0.2, "T2w>T1w": 0.1},
        "after": {"T1w>T2w": 0.1, "T2w>T1w": None},
        "mean_before": 0.15,
        "mean_after": 0.1,
    },
    "seconds": 61.0,
    "skipped": [],
    "notes": [],
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Three patients: a and b with T1w and T2w, c with T1w only; and a folder without scans."""
    root = tmp_path_factory.mktemp("cohort")
    for seed, (name, contrasts) in enumerate(
        {"a": ("T1w", "T2w"), "b": ("T1w", "T2w"), "c": ("T1w",)}.items()
    ):
        study = brain_study(contrasts, shape=(12, 14, 10), spacing=(12, 12, 12), seed=seed, name=name)
        patient_folder(root / name, study)
    (root / "notes").mkdir()
    return root


@pytest.fixture
def process() -> FakeProcess:
    return FakeProcess()


@pytest.fixture
def answers(cohort) -> Answers:
    return Answers(cohort / "a")


@pytest.fixture
def dock(viewer, qtbot, process, answers, tiny_models, monkeypatch, tmp_path) -> TrainingDock:
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: (tiny_models,))
    made = TrainingDock(viewer, TrainingSession(process, home=tmp_path), answers)
    qtbot.addWidget(made)
    return made


def begin_fine_tuning(dock: TrainingDock, answers: Answers, cohort: Path) -> None:
    for name in ("a", "b"):
        answers.chosen = cohort / name
        dock.tune.add.click()
    dock.controls.start.click()


def begin_training(dock: TrainingDock, answers: Answers, cohort: Path) -> Path:
    """Start a training on the cohort; return its run folder."""
    ask_for_training(dock, answers, cohort)
    return dock.session.task.folder


def ask_for_training(dock: TrainingDock, answers: Answers, cohort: Path) -> None:
    """Ask for a training on the cohort."""
    dock.modes.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    dock.controls.start.click()


def checkpoint(folder: Path, second: int) -> None:
    path = folder / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (second, second))


def log(folder: Path, name: str, text: str) -> None:
    (folder / "log").mkdir(parents=True, exist_ok=True)
    (folder / "log" / name).write_text(text)


def phase(dock: TrainingDock) -> Phase:
    return dock.session.said.phase


def test_nothing_can_be_started_before_a_patient_is_listed(dock):
    assert phase(dock) is Phase.EMPTY
    assert not dock.controls.start.isEnabled()
    dock.modes.setCurrentIndex(1)
    assert "data folder" in dock.controls.message.text()
    assert not dock.controls.start.isEnabled()


def test_two_patients_are_fine_tuned_on_and_the_last_is_said_to_be_kept_aside(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    assert "b is kept aside" in dock.tune.aside.text()
    (command,) = process.started
    assert command[:5] == ("finetune", "--parts", "decoder", "--steps", "200")
    assert command[-3:] == ("tiny", str(cohort / "a"), str(cohort / "b"))
    assert phase(dock) is Phase.RUNNING
    assert not dock.tune.isEnabled()
    assert dock.controls.pause.isHidden()


def test_with_one_patient_it_is_said_that_slices_say_little(dock):
    dock.tune.add.click()
    assert "little about other patients" in dock.tune.aside.text()


def test_patients_that_cannot_be_used_are_listed_with_the_reason_and_not_given_on(
    dock, answers, process, cohort
):
    for name in ("c", "notes", "a"):
        answers.chosen = cohort / name
        dock.tune.add.click()
    rows = [dock.tune.patients.topLevelItem(i).text(1) for i in range(3)]
    assert rows[0] == "left out: has T1w of T1w, T1ce, T2w, FLAIR; 2 are needed"
    assert rows[1].startswith("left out: There is no scan")
    dock.controls.start.click()
    assert process.started[0][-1] == str(cohort / "a")


def test_patients_none_of_whom_can_be_used_are_not_called_ready(dock, answers, cohort):
    answers.chosen = cohort / "c"
    dock.tune.add.click()
    assert dock.controls.message.text() == "No listed patient can be used."
    assert not dock.controls.start.isEnabled()
    answers.chosen = cohort / "a"
    dock.tune.add.click()
    assert dock.controls.message.text() == "Ready."


def luminance(colour) -> float:
    """Relative luminance of a colour, as the WCAG defines it."""
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_why_somebody_is_left_out_can_be_read_in_either_theme(qtbot, theme):
    from napari.qt import get_stylesheet

    reason = "has T1w of T1w, T1ce, T2w, FLAIR; 2 are needed, and some more words about it"
    listed = PatientList()
    qtbot.addWidget(listed)
    listed.show_patients([Patient("c", Path("/data/c"), reason=reason)], ("T1w",))
    listed.setStyleSheet(get_stylesheet(theme))  # after the rows: a theme may change under them
    listed.resize(300, 120)
    listed.show()
    place = listed.visualRect(listed.indexFromItem(listed.topLevelItem(0), 1))
    shown = listed.viewport().grab(place).toImage()
    light = [luminance(shown.pixelColor(x, y)) for x in range(shown.width()) for y in range(shown.height())]
    paper = luminance(shown.pixelColor(shown.width() - 1, 0))
    assert max((max(each, paper) + 0.05) / (min(each, paper) + 0.05) for each in light) >= 4.5
    assert listed.textElideMode() == Qt.TextElideMode.ElideRight
    assert reason in listed.topLevelItem(0).toolTip(1)


def test_a_patient_is_taken_off_the_list(dock):
    dock.tune.add.click()
    dock.tune.patients.setCurrentItem(dock.tune.patients.topLevelItem(0))
    dock.tune.remove.click()
    assert dock.session.mine == ()
    assert not dock.controls.start.isEnabled()
    assert not dock.tune.remove.isEnabled()


def test_who_is_left_out_can_be_taken_off_the_list_by_the_keyboard(dock, answers, cohort, qtbot):
    answers.chosen = cohort / "c"
    dock.tune.add.click()
    assert not dock.tune.remove.isEnabled()
    dock.show()
    patients = dock.tune.patients
    qtbot.mouseClick(
        patients.viewport(),
        Qt.MouseButton.LeftButton,
        pos=patients.visualItemRect(patients.topLevelItem(0)).center(),
    )
    patients.setFocus()
    qtbot.keyClick(patients, Qt.Key.Key_Down)
    assert dock.tune.remove.isEnabled()
    dock.tune.remove.click()
    assert dock.session.mine == ()


def test_long_names_neither_widen_the_dock_nor_hide_why_somebody_is_left_out(dock, tmp_path):
    name = "a_patient_or_a_folder_with_a_name_that_is_very_long_indeed_" * 2
    root = tmp_path / name
    root.mkdir()
    dock.session.data = DataFolder(root)
    dock.session.cohort = (Patient(name, root, ("T1w",)),)
    dock.session.add([root])
    dock.tune.show_open(name)
    dock.resize(dock.minimumWidth(), 800)
    dock.show()
    for index in range(dock.modes.count()):
        dock.modes.setCurrentIndex(index)
        page = dock.modes.currentWidget()
        assert page.minimumSizeHint().width() <= dock.minimumWidth()
    for listed in (dock.tune.patients, dock.train.patients):
        assert listed.columnWidth(0) < dock.minimumWidth() / 2


def test_a_tick_outlives_a_configuration_for_which_the_patient_is_left_out(dock, answers, cohort):
    dock.modes.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    dock.train.patients.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
    for contrasts, held in (("T1w, FLAIR", ()), ("T1w, T2w", ("b",))):
        dock.train.contrasts.setText(contrasts)
        dock.train.contrasts.editingFinished.emit()
        assert dock.train.patients.ticked == held


def test_the_patients_listed_are_those_of_the_configurations_own_table_and_split(
    dock, answers, process, cohort, tmp_path
):
    root = shutil.copytree(cohort, tmp_path / "data")
    (root / "subjects.tsv").write_text("subject\tsplit\na\ttrain\nb\ttest\n")
    (root / "mine.tsv").write_text("subject\tsplit\na\tdev\nb\tdev\nc\tdev\n")
    dock.modes.setCurrentIndex(1)
    answers.chosen = root
    dock.train.contrasts.setText("T1w, T2w")
    dock.train.folder.click()
    assert [patient.id for patient in dock.session.cohort] == ["a"]
    mine = {"table": "mine.tsv", "split": "dev", "held_out": ["b"]}
    open_own(dock, answers, root, tmp_path / "own.yaml", data=mine)
    assert [patient.id for patient in dock.session.cohort] == ["a", "b", "c"]
    assert dock.train.patients.ticked == ("b",)
    dock.controls.start.click()
    assert 'data.held_out=["b"]' in process.started[0]


def test_whom_a_table_no_longer_lists_is_not_shown(dock, answers, cohort, tmp_path):
    dock.modes.setCurrentIndex(1)
    answers.chosen = cohort
    dock.train.folder.click()
    open_own(dock, answers, cohort, tmp_path / "own.yaml", data={"table": "none.tsv"})
    assert "There is no table" in dock.controls.message.text()
    assert dock.session.cohort == ()
    assert not dock.controls.start.isEnabled()


def test_patients_with_contrasts_of_the_users_own_can_be_trained_on(dock, answers, cohort, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(cohort / name, tmp_path / "own" / name)
        (tmp_path / "own" / name / f"{name}_T2w.nii.gz").rename(tmp_path / "own" / name / f"{name}_CT.nii.gz")
    dock.modes.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, CT")
    answers.chosen = tmp_path / "own"
    dock.train.folder.click()
    dock.train.contrasts.editingFinished.emit()
    shown = [dock.train.patients.topLevelItem(row).text(1) for row in range(2)]
    assert shown == ["T1w, CT", "T1w, CT"]
    dock.controls.start.click()
    assert dock.session.task.contrasts == ("T1w", "CT")


def test_the_newest_figures_are_said_to_a_screen_reader_and_drawn_over_the_steps_taken(dock):
    dock.curve.show_curves([(1, 0.5), (60, 0.25)], [(50, 0.125)], 5000, "nmse")
    words = "step 60 of 5000, loss 0.25, held-out error (NMSE) 0.125"
    assert dock.curve.accessibleDescription() == words
    dock.curve.resize(340, 160)
    picture = dock.curve.grab().toImage()
    ink = picture.pixelColor(0, 80)
    halves = range(170, 280)  # the right half, between the axes, above the steps
    assert any(picture.pixelColor(x, y) != ink for x in halves for y in range(30, 135))


def test_example_slices_open_large_by_the_keyboard(dock, qtbot, tmp_path):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QDialog

    assert dock.curve.grab().save(str(tmp_path / "step-000010.png"))
    dock.sample.show_picture(tmp_path / "step-000010.png")
    qtbot.keyClick(dock.sample, Qt.Key.Key_Return)
    (large,) = dock.findChildren(QDialog)
    assert large.windowTitle() == "step 000010"
    large.close()


def test_a_patient_given_twice_is_refused(dock, answers, cohort):
    dock.tune.add.click()
    answers.chosen = cohort / "b" / ".." / "a"
    dock.tune.add.click()
    assert [patient.id for patient in dock.session.mine] == ["a"]
    assert "a is listed already" in dock.controls.message.text()


def test_six_patients_are_refused(dock, answers, process, cohort, tmp_path):
    for number in range(6):
        answers.chosen = shutil.copytree(cohort / "a", tmp_path / f"p{number}")
        dock.tune.add.click()
    dock.controls.start.click()
    assert "takes 1 to 5" in dock.controls.message.text()
    assert not process.started


def test_the_loss_is_drawn_as_it_is_told(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.step(10, 200, 0.5)
    process.tell(Progress(0.85, "measuring the fine-tuned model on b"))
    process.step(20, 200, 0.4)
    assert dock.session.figures.losses == [(10, 0.5), (20, 0.4)]
    assert dock.controls.message.text() == "Step 20 of 200, loss 0.4000"
    assert not dock.curve.grab().isNull()


def test_a_model_that_got_better_is_shown_before_and_after(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(0, report=REPORT))
    assert phase(dock) is Phase.DONE
    assert "0.1500 → 0.1000, -33 %" in dock.controls.message.text()
    assert "“mine” is in the Synthesis dock's model list" in dock.controls.hint.text()
    cells = [[dock.result.item(row, column).text() for column in range(4)] for row in range(3)]
    assert cells == [
        ["Mean of all", "0.1500", "0.1000", "-33 %"],
        ["T1w → T2w", "0.2000", "0.1000", "-50 %"],
        ["T2w → T1w", "0.1000", "–", "–"],
    ]


def test_who_was_left_out_on_the_way_is_said_at_the_end(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(0, report={**REPORT, "skipped": [{"patient": "b", "reason": "no brain is found."}]}))
    assert "Left out: b, no brain is found." in dock.controls.hint.text()
    skipped = [{"subject": "c", "reason": "has no T2w"}]
    report = {"bundle": "/x", "steps": 4, "exported_step": 4, "results": {}, "skipped": skipped}
    assert "Left out: c, has no T2w" in trained(report, "mine").hint


def test_a_change_too_small_to_print_is_not_called_none():
    nmse = {"before": {}, "after": {}, "mean_before": 0.02831, "mean_after": 0.02834}
    said = fine_tuned({**REPORT, "rolled_back": True, "nmse": nmse})
    assert "(0.028310 → 0.028340, +0.11 %)" in said.message


def test_a_slice_made_before_and_after_is_shown_anew_each_time(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    assert dock.sample.isHidden()
    drawn = []
    for _ in range(2):
        command = process.started[-1]
        drawn.append(Path(command[command.index("--picture") + 1]))
        drawn[-1].parent.mkdir(exist_ok=True)
        assert dock.curve.grab().save(str(drawn[-1]))
        process.end(Ended(0, report=REPORT))
        assert not dock.sample.isHidden()
        assert dock.session.figures.sample == drawn[-1]
        dock.controls.start.click()
        assert dock.sample.isHidden()
    assert drawn[0] != drawn[1]
    dock.session.close()
    assert not drawn[0].exists()


def test_a_model_that_was_rolled_back_is_said_so(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(1, report={**REPORT, "rolled_back": True, "bundle": None}))
    assert phase(dock) is Phase.ROLLED_BACK
    assert "Rolled back" in dock.controls.message.text()
    assert "No model was written" in dock.controls.hint.text()


def test_a_crash_is_said_with_the_last_lines(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(11, crashed=True, last_lines=("one", "Segmentation fault")))
    assert phase(dock) is Phase.FAILED
    assert "napari is not affected" in dock.controls.message.text()
    assert "Segmentation fault" in dock.controls.hint.text()
    assert dock.controls.start.isEnabled()


def test_an_error_of_the_project_is_said_in_its_words(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(2, report={"error": {"type": "InputError", "message": "No.", "hint": "Do that."}}))
    assert (dock.controls.message.text(), dock.controls.hint.text()) == ("No.", "Do that.")


def test_stopping_a_fine_tuning_leaves_nothing(dock, answers, process, cohort):
    begin_fine_tuning(dock, answers, cohort)
    dock.controls.stop.click()
    dock.controls.stop.click()
    assert process.interrupted == 1
    process.end(Ended(130, report={"error": {"message": "Cancelled by the user."}}))
    assert dock.controls.message.text() == "Stopped. Nothing was written."
    assert phase(dock) is Phase.READY


def test_a_name_that_is_taken_is_refused(dock, answers, process, cohort):
    dock.tune.name.setText("tiny")
    begin_fine_tuning(dock, answers, cohort)
    assert "“tiny” already" in dock.controls.message.text()
    assert not process.started


def test_a_data_folder_is_looked_through_and_everyone_accounted_for(dock, answers, process, cohort):
    begin_training(dock, answers, cohort)
    assert dock.train.about.text().startswith("2 learnt from, 0 held out, 2 left out.")
    rows = [dock.train.patients.topLevelItem(i).text(1) for i in range(4)]
    assert rows[0] == "T1w, T2w"
    assert rows[2] == "left out: has no T2w"
    settings = process.started[0][2::2]
    assert f'data.root="{cohort}"' in settings
    assert 'network.outputs=["T1w", "T2w"]' in settings
    assert "validation.every=0" in settings
    assert 'card.summary=""' in settings


def choose_configuration(dock: TrainingDock, *parts: str) -> None:
    places = [configuration.path.parts[-len(parts) :] for configuration in dock.presenter._configurations]
    dock.train.configuration.activated.emit(places.index(parts))


def test_the_patients_a_configuration_wants_of_its_own_data_are_not_looked_for_elsewhere(
    dock, answers, process, cohort
):
    choose_configuration(dock, "segmenter", "configs", "tumour.yaml")
    begin_training(dock, answers, cohort)
    settings = process.started[0][2::2]
    assert 'data.only=""' in settings
    assert "data.held_out=[]" in settings
    assert "data.folds=1" in settings


def test_on_its_own_data_a_configuration_keeps_to_the_patients_it_wants(
    dock, answers, process, cohort, tmp_path
):
    import yaml

    settings = yaml.safe_load(shipped()[0].path.read_text())
    settings["data"] = {"root": str(cohort), "only": "[ab]", "contrasts": ["T1w", "T2w"]}
    settings["network"] |= {"inputs": ["T1w", "T2w"], "outputs": ["T1w", "T2w"]}
    answers.chosen = tmp_path / "own.yaml"
    answers.chosen.write_text(yaml.safe_dump(settings))
    dock.train.other.click()
    begin_training(dock, answers, cohort)
    assert dock.train.about.text().startswith("2 learnt from, 0 held out, 0 left out.")
    assert 'data.only="[ab]"' in process.started[0]


def test_a_patient_that_is_ticked_is_held_out_and_watched(dock, answers, process, cohort):
    dock.modes.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    dock.train.patients.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
    assert dock.train.about.text() == "1 learnt from, 1 held out, 2 left out."
    dock.train.check.setValue(25)
    dock.controls.start.click()
    settings = process.started[0][2::2]
    assert 'data.held_out=["b"]' in settings
    assert "validation.every=25" in settings


def test_a_training_starts_from_a_model_with_its_network_and_contrasts(
    dock, answers, process, cohort, tiny_models
):
    import json

    from napari_mrsynth.bundles import Card

    dock.modes.setCurrentIndex(1)
    start = dock.train.start
    assert [start.itemData(i) for i in range(start.count())] == ["", "tiny"]
    start.setCurrentIndex(1)
    start.activated.emit(1)
    assert dock.train.wanted == ("T1w", "T1ce", "T2w", "FLAIR")
    assert not dock.train.contrasts.isEnabled()
    answers.chosen = cohort
    dock.train.folder.click()
    assert dock.train.about.text().startswith("0 learnt from")
    start.setCurrentIndex(0)
    start.activated.emit(0)
    assert dock.train.contrasts.isEnabled()
    start.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, T2w")  # so that somebody is left
    dock.controls.start.setEnabled(True)
    dock.controls.start.click()
    settings = dict(each.split("=", 1) for each in process.started[0][2::2] if "=" in each)
    assert json.loads(settings["start"]) == "tiny"
    assert json.loads(settings["network"]) == Card.load(tiny_models / "tiny").network
    assert json.loads(settings["data.spacing_mm"]) == 4.0
    assert "network.outputs" not in settings


def test_models_of_another_system_are_no_start_and_adversarial_trainings_are_not_watched(
    dock, answers, process, cohort
):
    titles = [configuration.path.parts[-3:] for configuration in dock.presenter._configurations]
    index = titles.index(("anatomy", "configs", "brain.yaml"))
    assert titles[0] == ("anysubset", "configs", "brain.yaml")
    dock.modes.setCurrentIndex(1)
    dock.train.configuration.setCurrentIndex(index)
    dock.train.configuration.activated.emit(index)
    assert dock.train.start.count() == 1
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    dock.train.patients.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
    dock.controls.start.click()
    assert "validation.every=0" in process.started[0]


def open_own(dock: TrainingDock, answers: Answers, cohort: Path, path: Path, **changes: dict) -> None:
    """Open a configuration of the user's own, the shipped one with some changes."""
    import yaml

    settings = yaml.safe_load(shipped()[0].path.read_text())
    settings["data"] = {"root": str(cohort), "contrasts": ["T1w", "T2w"]}
    settings["network"] |= {"inputs": ["T1w", "T2w"], "outputs": ["T1w", "T2w"]}
    for section, values in changes.items():
        settings[section] = settings.get(section, {}) | values if isinstance(values, dict) else values
    answers.chosen = path
    path.write_text(yaml.safe_dump(settings))
    dock.train.other.click()


def told(process: FakeProcess) -> TrainConfig:
    """Return the configuration that the last training was begun with."""
    arguments = process.started[-1]
    return load_config(arguments[-1], [a for a in arguments[2:] if "=" in a])


def test_whom_a_configuration_holds_out_is_ticked(dock, answers, process, cohort, tmp_path):
    open_own(dock, answers, cohort, tmp_path / "own.yaml", data={"held_out": ["b"]})
    begin_training(dock, answers, cohort)
    assert dock.train.about.text().startswith("1 learnt from, 1 held out")
    assert told(process).data.held_out == ("b",)


def test_folds_and_patience_of_a_configuration_do_not_hinder_a_training_that_watches_nobody(
    dock, answers, process, cohort, tmp_path
):
    changes = {"data": {"folds": 5, "fold": 2}, "validation": {"every": 200, "patience": 5}}
    open_own(dock, answers, cohort, tmp_path / "own.yaml", **changes)
    begin_training(dock, answers, cohort)
    config = told(process)
    assert (config.data.folds, config.data.fold, config.validation.patience) == (1, 0, 0)


def test_what_a_configuration_starts_from_is_chosen_and_scratch_leaves_it_out(
    dock, answers, process, cohort, tmp_path
):
    open_own(
        dock, answers, cohort, tmp_path / "own.yaml", start="/models/older", optim={"freeze_norms": True}
    )
    start = dock.train.start
    assert start.currentText() == "older"
    assert not dock.train.contrasts.isEnabled()
    begin_training(dock, answers, cohort)
    assert (told(process).start, told(process).optim.freeze_norms) == ("/models/older", True)
    dock.session.stop()
    process.end(Ended(130))
    start.setCurrentIndex(0)
    start.activated.emit(0)
    assert dock.train.contrasts.isEnabled()
    dock.train.name.setText("anew")
    dock.controls.start.click()
    assert (told(process).start, told(process).optim.freeze_norms) == ("", False)


def test_what_the_options_say_reaches_a_fine_tuning(dock, answers, process, cohort):
    from napari_mrsynth.training.adapt import Pace

    usual = Pace()
    options = dock.tune.options
    assert (options.rate.value(), options.batch.value(), options.crop.value()) == (
        usual.lr,
        usual.batch,
        usual.crop,
    )
    options.rate.setValue(0.0001)
    assert options.rate.text() == "0.0001"
    options.crop.setValue(64)
    begin_fine_tuning(dock, answers, cohort)
    asked = dict(pairwise(process.started[0]))
    assert (asked["--rate"], asked["--batch"], asked["--crop"]) == ("0.0001", "8", "64")


def test_only_options_that_were_changed_change_a_configuration(dock, answers, process, cohort):
    options = dock.train.options
    begin_training(dock, answers, cohort)
    assert not [each for each in process.started[0] if each.startswith(("optim.lr", "optim.batch"))]
    dock.session.close()
    process.end(Ended(1, report={"error": {"type": "OSError", "message": "gone"}}))
    options.rate.setValue(0.0003)
    options.batch.setValue(2)
    options.further.setPlainText("optim.ema=0.9\n\n  network.latent=4  \n")
    dock.controls.start.click()
    settings = process.started[1][2::2]
    assert [each for each in settings if each.startswith(("optim.lr", "optim.batch", "optim.ema"))] == [
        "optim.lr=0.0003",
        "optim.batch=2",
        "optim.ema=0.9",
    ]
    assert "network.latent=4" in settings
    choose_configuration(dock, "segmenter", "configs", "tumour.yaml")  # fills in what that one says
    assert not options.changed
    assert not options.lines


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("optim.steps=5", "the fields above decide it"),
        ("optim.lr=0.1", "the fields above decide it"),
        ("run={folder: elsewhere}", "sets run.folder too"),
        ("faster", "not of the form a.b=value"),
    ],
)
def test_a_further_setting_that_cannot_be_is_refused_before_anything_starts(
    dock, answers, process, cohort, line, says
):
    dock.train.options.further.setPlainText(line)
    ask_for_training(dock, answers, cohort)
    assert line in dock.controls.message.text()
    assert says in dock.controls.message.text()
    assert not process.started


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Give a lower --rate.", "Give a lower learning rate (Options)."),
        (
            "Train anew in another run.folder with a lower optim.lr, or look.",
            "Train anew under another name with a lower learning rate (Options), or look.",
        ),
        ("There is no setting 'optim.batch_size'.", "There is no setting 'optim.batch_size'."),
        ("Set optim.crop=64.", "Set optim.crop=64."),
    ],
)
def test_an_error_calls_settings_as_the_dock_does(dock, answers, process, cohort, said, shown):
    begin_fine_tuning(dock, answers, cohort)
    error = {"type": "DivergedError", "message": "The loss is nan.", "hint": said}
    process.end(Ended(2, report={"error": error}))
    assert dock.controls.hint.text() == shown


def test_the_last_steps_of_what_is_being_stopped_do_not_take_the_word_back(dock, answers, process, cohort):
    begin_training(dock, answers, cohort)
    process.step(5, 100, 0.5)
    dock.controls.stop.click()
    process.step(6, 100, 0.4)
    assert phase(dock) is Phase.STOPPING
    assert dock.controls.message.text() == "Stopping …"
    assert not dock.controls.stop.isEnabled()
    assert not dock.controls.pause.isEnabled()


def test_a_pause_says_when_its_checkpoint_comes(dock, answers, process, cohort):
    dock.train.checkpoint.setValue(50)
    begin_training(dock, answers, cohort)
    process.tell(Progress(0.1, "step 20 of 1000, loss 0.5", seconds_left=1960.0))
    dock.controls.pause.click()
    assert "It comes within 50 steps, in at most 1 min 40 s." in dock.controls.hint.text()


def test_figures_of_a_run_that_has_ended_are_called_that(dock, answers, process, cohort):
    assert dock.progress.text() == "PROGRESS"
    dock.tune.name.setText("mine")
    begin_fine_tuning(dock, answers, cohort)
    process.step(1, 10, 0.5)
    assert dock.progress.text() == "PROGRESS"
    process.end(Ended(0, report=REPORT))
    assert dock.progress.text() == "LAST RUN: mine"
    dock.modes.setCurrentIndex(1)
    assert dock.progress.text() == "PROGRESS"


def test_coming_back_to_a_run_that_has_ended_shows_its_curves_again(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    log(folder, "metrics.csv", "step,loss\n0,0.9\n1,0.8\n")
    process.end(Ended(2, report={"error": {"type": "DivergedError", "message": "nan", "hint": ""}}))
    dock.modes.setCurrentIndex(0)
    begin_fine_tuning(dock, answers, cohort)
    process.end(Ended(0, report=REPORT))
    dock.modes.setCurrentIndex(1)
    assert dock.progress.text() == f"LAST RUN: {folder.name}"
    assert dock.session.figures.losses == [(0, 0.9), (1, 0.8)]


def test_a_data_folder_that_is_none_is_said(dock, answers, cohort):
    dock.modes.setCurrentIndex(1)
    answers.chosen = cohort / "notes"
    dock.train.folder.click()
    assert phase(dock) is Phase.FAILED
    assert "No patient" in dock.controls.message.text()


def test_curves_and_pictures_are_read_from_the_run_folder(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    log(folder, "metrics.csv", "step,loss\n0,0.9\n1,0.8\n2,0.")
    log(folder, "held_out.csv", "step,nmse,T1w>T2w\n2,0.3,0.3\n")
    (folder / "samples").mkdir()
    dock.curve.grab().save(str(folder / "samples" / "step-000002.png"))
    dock.session.tick()
    assert dock.session.figures.losses == [(0, 0.9), (1, 0.8)]
    assert dock.session.figures.errors == [(2, 0.3)]
    assert not dock.sample.isHidden()
    log(folder, "metrics.csv", "step,loss,rate\n0,0.9,1\n1,0.8,1\n2,0.7,1\n")
    dock.session.tick()
    assert dock.session.figures.losses[-1] == (2, 0.7)


def test_whatever_error_is_logged_is_drawn_under_its_name(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    dock.session.tick()
    assert dock.curve.error_title == "held-out error"
    log(folder, "metrics.csv", "step,loss\n0,0.9\n")
    log(folder, "held_out.csv", "step,dice_error,oedema,lesion\n2,0.4,0.5,0.3\n4,0.3,0.4,0.2\n")
    dock.session.tick()
    assert dock.session.figures.errors == [(2, 0.4), (4, 0.3)]
    assert dock.curve.error_title == "held-out dice error"
    assert not dock.curve.grab().isNull()


def test_a_pause_waits_for_the_next_checkpoint_and_resume_goes_on(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    checkpoint(folder, 1)
    process.step(3, 10, 0.5)
    dock.controls.pause.click()
    dock.session.tick()
    assert phase(dock) is Phase.PAUSING
    assert not process.interrupted
    checkpoint(folder, 2)
    dock.session.tick()
    dock.session.tick()
    assert process.interrupted == 1
    process.end(Ended(130, report={"error": {"message": "Cancelled by the user."}}))
    assert phase(dock) is Phase.PAUSED
    assert dock.controls.message.text() == "Paused at step 3."
    dock.controls.resume.click()
    assert process.started[1] == process.started[0]
    assert phase(dock) is Phase.RUNNING


def test_a_pause_before_the_first_step_is_at_once(dock, answers, process, cohort):
    begin_training(dock, answers, cohort)
    process.tell(Progress(0.1, "preparing a"))
    dock.controls.pause.click()
    assert process.interrupted == 1


def test_a_training_that_broke_off_can_be_resumed_from_its_checkpoint(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    checkpoint(folder, 1)
    process.end(Ended(9, crashed=True))
    assert "Resume goes on" in dock.controls.hint.text()
    assert not dock.controls.resume.isHidden()


@pytest.mark.parametrize("kind", ["DivergedError", "ConfigError", "InputError"])
def test_nothing_is_resumed_that_would_end_in_the_same_error(dock, answers, process, cohort, kind):
    folder = begin_training(dock, answers, cohort)
    checkpoint(folder, 1)
    process.end(Ended(1, report={"error": {"type": kind, "message": "No.", "hint": "Do that."}}))
    assert (dock.controls.message.text(), dock.controls.hint.text()) == ("No.", "Do that.")
    assert dock.controls.resume.isHidden()


def test_a_training_whose_disk_was_full_can_be_resumed(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    checkpoint(folder, 1)
    process.end(Ended(2, report={"error": {"type": "OutputError", "message": "Full.", "hint": ""}}))
    assert "Resume goes on" in dock.controls.hint.text()
    assert not dock.controls.resume.isHidden()


def test_an_error_goes_when_the_user_has_done_something_else(dock, answers, cohort, tmp_path):
    dock.modes.setCurrentIndex(1)
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    assert dock.controls.message.text() == "Ready."
    answers.chosen = tmp_path / "bad.yaml"
    answers.chosen.write_text("nothing: of use")
    dock.train.configuration_asked.emit()
    assert phase(dock) is Phase.FAILED
    dock.train.configuration_chosen.emit(0)
    assert phase(dock) is Phase.READY
    dock.train.configuration_asked.emit()
    assert phase(dock) is Phase.FAILED
    answers.chosen = shipped()[0].path
    dock.train.configuration_asked.emit()
    assert phase(dock) is Phase.READY


def test_an_error_stays_when_what_follows_is_refused_too(dock, answers, cohort):
    dock.modes.setCurrentIndex(1)
    answers.chosen = cohort / "notes"
    for _ in range(2):
        dock.train.folder.click()
        assert phase(dock) is Phase.FAILED


def test_what_start_makes_of_a_run_that_is_there_is_said(dock, tmp_path):
    run = tmp_path / "runs" / "mine"
    dock.train.name.setText("other")
    assert "“mine”" not in dock.train.where.text()
    run.mkdir(parents=True)
    dock.train.name.setText("mine")
    assert "Start begins anew" in dock.train.where.text()
    checkpoint(run, 1)
    dock.train.changed.emit()
    assert "Start goes on with it" in dock.train.where.text()
    (run / "bundle" / "mine").mkdir(parents=True)
    (run / "bundle" / "mine" / "card.yaml").write_text("")
    dock.train.changed.emit()
    assert "Start goes on with it" in dock.train.where.text()  # exported for a first look
    (run / "ended.json").write_text("{}")
    dock.train.changed.emit()
    assert "“mine” is finished: choose another name" in dock.train.where.text()


def test_a_pause_outlives_a_look_at_the_other_page_and_another_data_folder(dock, answers, process, cohort):
    folder = begin_training(dock, answers, cohort)
    checkpoint(folder, 1)
    process.step(3, 10, 0.5)
    dock.controls.stop.click()
    process.end(Ended(130, report={"error": {"message": "Cancelled by the user."}}))
    dock.modes.setCurrentIndex(0)
    assert phase(dock) is Phase.EMPTY
    assert dock.controls.resume.isHidden()
    dock.modes.setCurrentIndex(1)
    assert phase(dock) is Phase.PAUSED
    dock.train.folder.click()
    assert phase(dock) is Phase.PAUSED
    dock.controls.resume.click()
    assert process.started[1] == process.started[0]


def write_run(folder: Path, second: int) -> Path:
    """Write what an interrupted training leaves: its configuration and a checkpoint."""
    folder.mkdir(parents=True)
    shutil.copy(shipped()[0].path, folder / "config.yaml")
    checkpoint(folder, second)
    return folder


def test_a_training_of_an_earlier_napari_is_listed_and_gone_on_with(dock, process, tmp_path):
    assert dock.train.unfinished.isHidden()
    write_run(tmp_path / "runs" / "old", 10)
    new = write_run(tmp_path / "runs" / "new", 20)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.yaml").write_text(":")
    ended = write_run(tmp_path / "runs" / "ended", 30)
    (ended / "bundle" / "anysubset-brain").mkdir(parents=True)
    (ended / "bundle" / "anysubset-brain" / "card.yaml").write_text("")
    (ended / "ended.json").write_text("{}")
    dock.modes.setCurrentIndex(1)
    runs = dock.train.unfinished.runs
    assert [Path(runs.itemData(i)).name for i in range(runs.count())] == ["new", "old"]
    assert not dock.train.unfinished.isHidden()
    dock.train.unfinished.go_on.click()
    assert process.started[0][-1] == str(new / "config.yaml")
    assert f'run.folder="{new}"' in process.started[0]
    process.step(7, 10, 0.5)
    dock.controls.pause.click()
    checkpoint(new, 40)
    dock.session.tick()
    process.end(Ended(130))
    assert phase(dock) is Phase.PAUSED
    dock.controls.resume.click()
    assert process.started[1] == process.started[0]


@pytest.mark.parametrize("name", ["My clinic", "../elsewhere", "/tmp/x", "x" * 300])
def test_a_name_no_model_can_have_is_refused_before_anything_starts(dock, answers, process, cohort, name):
    dock.tune.name.setText(name)
    begin_fine_tuning(dock, answers, cohort)
    assert "cannot be called" in dock.controls.message.text()
    dock.modes.setCurrentIndex(1)
    dock.train.name.setText(name)
    dock.train.contrasts.setText("T1w, T2w")
    answers.chosen = cohort
    dock.train.folder.click()
    dock.controls.start.click()
    assert "cannot be called" in dock.controls.message.text()
    assert not process.started


def test_a_training_that_ends_puts_its_model_on_the_list(dock, answers, process, cohort, tmp_path):
    folder = begin_training(dock, answers, cohort)
    bundle = folder / "bundle" / "my-brain"
    bundle.mkdir(parents=True)
    (bundle / "card.yaml").write_text("id: my-brain")
    made = []
    dock.session.model_made.connect(made.append)
    report = {
        "bundle": str(bundle),
        "steps": 10,
        "exported_step": 8,
        "results": {"nmse": {"T1w>T2w": {"b": 0.25}}},
    }
    process.end(Ended(0, report=report))
    assert phase(dock) is Phase.DONE
    assert "0.2500" in dock.controls.message.text()
    assert "step 8" in dock.controls.message.text()
    assert made == ["my-brain"]
    assert (tmp_path / "models" / "my-brain" / "card.yaml").is_file()


def test_a_segmenter_is_told_of_by_its_overlap():
    results = {
        "dice": {"oedema": {"b": 0.5}, "lesion": {"b": 0.7, "c": None}},
        "label_value_dice": {"b": 1.0},
    }
    said = trained({"bundle": "/x", "steps": 4, "exported_step": 4, "results": results}, "mine")
    assert said.message == "Done after 4 steps. Mean Dice on all slices of the held-out patients: 0.6000."


def test_leaving_while_it_runs_asks_first(dock, answers, process, cohort):
    assert dock.presenter.may_leave()
    folder = begin_training(dock, answers, cohort)
    assert not dock.presenter.may_leave()
    assert "Nothing is kept yet: it would begin anew." in answers.asked[0]
    checkpoint(folder, 1)
    assert not dock.presenter.may_leave()
    assert "last checkpoint" in answers.asked[1]
    assert not process.killed
    answers.leave = True
    assert dock.presenter.may_leave()
    assert not process.killed  # napari's own question may still keep the window
    dock.presenter.end()
    assert process.killed == 1
    assert not dock.session.running


def test_the_open_patient_is_taken_with_its_names_and_forgotten_at_the_end(dock, process):
    study = brain_study(("T1w", "FLAIR"), shape=(12, 14, 10), spacing=(12, 12, 12), name="Jane / Doe")
    dock.session.take(study)
    (patient,) = dock.session.mine
    assert set(patient.contrasts) == {"T1w", "FLAIR"}
    dock.session.close()
    assert not patient.folder.exists()


def test_the_open_patient_is_taken_as_it_was_scanned_and_lies_as_it_was_aligned(dock):
    thin, thick = affine_of((40, 48, 40), (3, 3, 3)), affine_of((40, 48, 8), (3, 3, 15))
    turned = np.eye(4)
    turned[:3, :3], turned[:3, 3] = rotation((0, 0, 5)), (4, -3, 2)
    scans = [
        phantom((40, 48, 40), thin, "T1w"),
        *(phantom((40, 48, 8), thick, contrast) for contrast in ("T2w", "FLAIR")),
    ]
    study = build_study(scans, name="mixed")
    members = {**study.members, "T1w": replace(study.members["T1w"], motion=Rigid(turned, "aligned"))}
    dock.session.take(replace(study, members=members))
    taken = {volume.contrast: volume for volume in read_patient(dock.session.mine[0].folder).volumes}
    assert study.grid.spacing[2] == 15
    for scan in scans:
        assert np.array_equal(taken[scan.contrast].array, scan.array)
    np.testing.assert_allclose(turned @ taken["T1w"].grid.affine.matrix, thin.matrix, atol=1e-4)
    assert taken["FLAIR"].grid.same_as(scans[2].grid)


@pytest.mark.parametrize("name", ["p1_T1_post", "p1_FLAIR", "swan_01", "Nora_GRE"])
def test_a_taken_patient_keeps_its_contrasts_whatever_it_is_called(dock, name):
    dock.session.take(brain_study(("T1w", "T2w"), shape=(12, 14, 10), spacing=(12, 12, 12), name=name))
    (patient,) = dock.session.mine
    assert (patient.id, set(patient.contrasts)) == (name, {"T1w", "T2w"})


def test_a_brain_mask_that_was_given_is_taken_along(dock):
    study = brain_study(("T1w", "T2w"), shape=(12, 14, 10), spacing=(12, 12, 12), name="masked")
    mine = np.zeros_like(study.mask.array)
    mine[3:8, 3:9, 2:7] = True
    dock.session.take(replace(study, mask=BrainMask(mine, "given: mine.nii.gz")))
    kept = read_patient(dock.session.mine[0].folder).mask
    assert kept.grid.same_as(study.grid)
    assert np.array_equal(kept.array > 0, mine)


def test_patients_whose_folders_are_called_alike_are_told_apart(dock, answers, cohort, tmp_path):
    for name in ("A", "B"):
        answers.chosen = shutil.copytree(cohort / name.lower(), tmp_path / name / "DICOM")
        dock.tune.add.click()
    assert [patient.id for patient in dock.session.mine] == ["A/DICOM", "B/DICOM"]
    dock.session.remove("A/DICOM")
    assert len(dock.session.mine) == 1


def test_back_from_a_model_the_configuration_has_its_contrasts_again(dock, answers, process, cohort):
    dock.modes.setCurrentIndex(1)
    choose_configuration(dock, "anysubset", "configs", "joyce-unimodal.yaml")
    before = dock.train.wanted
    start = dock.train.start
    for chosen in ("tiny", ""):
        start.setCurrentIndex(start.findData(chosen))
        start.activated.emit(start.currentIndex())
    assert dock.train.wanted == before != ("T1w", "T1ce", "T2w", "FLAIR")


def test_another_patient_of_the_same_name_is_not_mixed_with_one_taken_before(dock):
    for contrasts in (("T1w", "T2w", "FLAIR"), ("T1w", "FLAIR")):
        dock.session.take(brain_study(contrasts, shape=(12, 14, 10), spacing=(12, 12, 12), name="anat"))
        (patient,) = dock.session.mine
        assert set(patient.contrasts) == set(contrasts)
        dock.session.remove("anat")


def test_another_session_of_a_person_who_was_taken_is_refused(dock, answers, cohort, tmp_path):
    first, second = (
        brain_study(("T1w", "T2w"), shape=(12, 14, 10), spacing=(12, 12, 12), name=f"sub-01_ses-{number}")
        for number in (1, 2)
    )
    dock.session.take(first)
    with pytest.raises(InputError, match="sub-01_ses-1 is a session of sub-01 too"):
        dock.session.take(second)
    answers.chosen = shutil.copytree(cohort / "a", tmp_path / "sub-01" / "ses-3")
    dock.tune.add.click()
    assert "sub-01_ses-1 is a session of sub-01 too" in dock.controls.message.text()
    dock.session.remove("sub-01_ses-1")
    dock.session.take(second)
    assert [patient.id for patient in dock.session.mine] == ["sub-01_ses-2"]


def test_ticks_outlive_a_configuration_that_holds_out_nobody_who_is_here(dock, answers, cohort):
    answers.chosen = cohort
    dock.modes.setCurrentIndex(1)
    dock.train.folder.click()
    dock.train.patients.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
    choose_configuration(dock, "segmenter", "configs", "tumour.yaml")
    assert dock.train.patients.ticked == ("b",)


def test_what_was_typed_for_scratch_is_not_learnt_from_the_configured_start(
    dock, answers, process, cohort, tmp_path
):
    open_own(dock, answers, cohort, tmp_path / "own.yaml", start="/models/older")
    start = dock.train.start
    for chosen in ("", AS_CONFIGURED):
        start.setCurrentIndex(start.findData(chosen))
        start.activated.emit(start.currentIndex())
        if not chosen:
            dock.train.contrasts.setText("T1w, CT")
    assert dock.train.wanted == ("T1w", "T2w")


def test_modes_do_not_share_what_can_be_started(dock):
    dock.tune.add.click()
    assert dock.controls.start.isEnabled()
    dock.modes.setCurrentIndex(1)
    assert dock.session.mode is Mode.TRAIN
    assert not dock.controls.start.isEnabled()
