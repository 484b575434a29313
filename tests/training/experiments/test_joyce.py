"""The tables of Joyce 2017 on phantoms: nothing leaks, and nothing is made twice."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.systems.anysubset import module, regression
from napari_mrsynth.systems.direct.network import LOCATION
from napari_mrsynth.training.config import DataConfig, load_config
from napari_mrsynth.training.experiments.joyce import misaligned, missing, transfer, unimodal
from napari_mrsynth.training.experiments.joyce.fitting import fitted
from napari_mrsynth.training.experiments.joyce.makers import Trained
from napari_mrsynth.training.experiments.joyce.plan import CONTRASTS, Joyce, JoyceSettings, likeness
from napari_mrsynth.training.experiments.joyce.repeats import again, repeated, training
from napari_mrsynth.training.experiments.joyce.report import tables_of, write_report
from napari_mrsynth.training.experiments.joyce.running import run
from napari_mrsynth.training.experiments.joyce.views import (
    Framed,
    Located,
    Misaligned,
    Realigned,
    rigidly_moved,
)
from napari_mrsynth.training.experiments.plan import Part, Settings
from napari_mrsynth.training.experiments.telling import Teller
from napari_mrsynth.training.prepared import prepare_all
from napari_mrsynth.training.shipped import shipped_configurations
from napari_mrsynth.training.subjects import find_subjects
from phantoms import brain_study, patient_folder

SHIPPED = shipped_configurations()
SHAPE, SPACING = (24, 28, 12), (6, 6, 11)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four patients of one source, two of another and one of it to test."""
    root = tmp_path_factory.mktemp("joyce")
    lines = ["subject\tsplit"]
    for number in range(7):
        group, name = "tumour" if number < 4 else "ms", f"case{number}"
        contrasts = CONTRASTS if number < 5 else ("T1w", "T2w", "FLAIR")
        study = brain_study(contrasts, shape=SHAPE, spacing=SPACING, seed=number, lesion=True, name=name)
        patient_folder(root / "data" / group / name, study)
        lines.append(f"{group}/{name}\t{'test' if number == 6 else 'train'}")
    (root / "data" / "subjects.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def joyce(root, tmp_path, monkeypatch):
    """A rehearsal of the published configuration, narrower still, with a forest of three trees."""
    given = yaml.safe_load(SHIPPED["anysubset/joyce-missing"].read_text())
    given["data"] |= {"root": str(root / "data"), "spacing_mm": 6.0, "cache": str(root / "prepared")}
    given["network"] |= {"latent": 2, "encoder_widths": [2], "decoder_widths": [2]}
    given["run"] = {"accelerator": "cpu", "threads": 1}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(given))
    small = Settings.forest.fget

    def forest(self):
        grown = small(self)
        grown.trees, grown.samples = 2, 200
        return grown

    monkeypatch.setattr(Settings, "forest", property(forest))
    overrides = (f"data.root={root / 'data'}", "data.spacing_mm=6.0", f"data.cache={root / 'prepared'}")
    overrides += ("run.accelerator=cpu", "run.threads=1")
    monkeypatch.setattr(
        "napari_mrsynth.training.experiments.joyce.plan.QUICK",
        ("optim.steps=2", "optim.batch=2", "optim.crop=24", "run.checkpoint_every=2"),
    )
    return Joyce(JoyceSettings(config, overrides, tmp_path / "run", folds=2, every=1, quick=True))


def patients(joyce, contrasts=CONTRASTS):
    found, _ = prepare_all(find_subjects(joyce.data(contrasts)), joyce.data(contrasts))
    return found


def trained(joyce):
    return sorted(path.stat().st_mtime_ns for path in joyce.trainings.glob("*/bundle/card.yaml"))


def test_table_1_holds_every_method_beside_the_published_figures(joyce, tmp_path):
    plan = unimodal.experiment(joyce)
    outcome = run(plan, joyce.settings)
    paths, bars = write_report(plan, outcome, tmp_path / "out", joyce.settings)
    text = paths["page"].read_text()
    assert "A rehearsal" in text
    for title in unimodal.TITLES.values():
        assert text.count(f"| {title} |") == 2
    assert "| 1.018 ± 0.47 | 2.213 ± 0.70 |" in text
    assert "`mrsynth experiment joyce-unimodal --config config.yaml --set data.spacing_mm=6.0" in text
    assert "--folds 2 --quick`" in text
    assert "not as in the paper: latent 2 (there 16);" in text
    assert "MSE, s.d. over folds" in text
    assert "nan" not in text
    assert len(bars) == 2
    assert paths["figure"].read_bytes()[:4] == b"\x89PNG"
    judged = {(row.patient, row.method, row.target) for row in outcome.rows}
    assert not plan.skipped
    assert len(judged) == 4 * 5 * 2
    with paths["rows"].open() as file:
        assert len(list(csv.DictReader(file))) == len(outcome.rows)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("data.split=test", "of the split `train` are learnt from"),
        ("data.held_out=[case1]", "as many folds as --folds says"),
        ("data.normalisation=foreground-zscore", "in which errors are counted"),
        ("network.inputs=[T1w]", "what its networks read"),
        ("run.folder=runs/mine", "where --folder says"),
    ],
)
def test_a_change_that_the_table_would_overrule_is_refused(joyce, change, says):
    with pytest.raises(ConfigError, match=says) as refused:
        Joyce(replace(joyce.settings, overrides=(*joyce.settings.overrides, change)))
    assert f"{change} has no effect" in refused.value.message


def test_all_networks_of_a_table_learn_for_as_long_and_only_the_own_one_is_changed(joyce):
    changed = Joyce(
        replace(joyce.settings, overrides=(*joyce.settings.overrides, "optim.lr=0.5"), quick=False)
    )
    own, other = changed.config(), changed.config(SHIPPED["direct/dedis"])
    assert (other.optim.steps, other.optim.batch, other.optim.crop) == (2600, 32, 96)
    assert own.optim.lr == 0.5
    assert other.optim.lr == 1e-3
    assert other.data.root == own.data.root


def test_a_page_says_in_what_a_configuration_is_unlike_the_paper():
    assert likeness(load_config(SHIPPED["anysubset/joyce-missing"])) == "network and cost as in the paper"
    assert "encoder residual (there unet)" in likeness(load_config(SHIPPED["anysubset/joyce-light"]))
    assert "brain_only True (there False)" in likeness(load_config(SHIPPED["anysubset/joyce-light"]))


def test_nobody_is_judged_by_a_network_that_learnt_from_them(joyce):
    plan = unimodal.experiment(joyce)
    for part in plan.parts:
        assert not {p.subject for p in part.learn} & {p.subject for p in part.judge}
    judged = [p.subject for part in plan.parts for p in part.judge]
    assert len(judged) == len(set(judged))


def test_nobody_is_judged_who_shares_a_scan_with_someone_learnt_from(joyce):
    first, second = patients(joyce)[:2]
    prints = second.meta["fingerprints"]
    second.__dict__["meta"] = {
        **second.meta,
        "fingerprints": {**prints, "T1w": first.meta["fingerprints"]["T1w"]},
    }
    with pytest.raises(InputError, match=f"{second.subject} would be both learnt from and judged on"):
        Part("fold-0", (first,), (second,), 1)


def test_table_2_has_one_network_seven_one_with_drawn_pairs_and_two_ablations(joyce, tmp_path):
    plan = missing.experiment(joyce)
    outcome = run(plan, joyce.settings)
    assert len(trained(joyce)) == 2 * (1 + 6 + 1 + 2)  # the seventh dedicated one is the one network
    made = {(row.method, row.inputs) for row in outcome.rows}
    assert len(made) == 6 * 7
    paths, bars = write_report(plan, outcome, tmp_path / "out", joyce.settings)
    assert "T1w, T2w, T1ce | one network, inputs removed | .576 |" in paths["page"].read_text()
    assert all("1.03 times" in bar.name for bar in bars[:2])


def test_networks_trained_several_times_count_by_their_mean_and_forests_once(joyce, tmp_path):
    settings = replace(joyce.settings, repeats=2)
    plan = repeated(unimodal.experiment(Joyce(settings)), 2)
    outcome = run(plan, settings)
    assert [part.name for part in plan.parts] == [
        "fold-0",
        "fold-1",
        "fold-0, training 2",
        "fold-1, training 2",
    ]

    def errors(method, rows):
        return [row.nmse for row in rows if (row.method, row.target, row.region) == (method, "T2w", "brain")]

    assert len(errors("forest", outcome.rows)) == 4
    assert len(errors("proposed", outcome.rows)) == 8
    first, second = (errors("proposed", training(outcome.rows, number)) for number in (0, 1))
    assert first != second
    assert errors("forest", training(outcome.rows, 1)) == errors("forest", outcome.rows)
    table = tables_of(plan, outcome)[""]
    spread = table.spread("proposed", "T1w", "T2w", "nmse")
    assert spread.count == 4
    assert spread.mean == pytest.approx(np.mean([*first, *second]))
    assert spread.sd == pytest.approx(np.std(np.mean([first, second], axis=0), ddof=1))
    assert table.between_parts("proposed", "T1w", "T2w", "nmse") > 0

    paths, bars = write_report(plan, outcome, tmp_path / "out", settings)
    text = paths["page"].read_text()
    assert "--folds 2 --repeats 2 --quick`" in text
    assert "Every network is trained 2 times, with seeds from 0 on" in text
    assert "## Each training by itself" in text
    found = float(np.std([np.mean(first), np.mean(second)], ddof=1))
    line = next(line for line in text.splitlines() if line.startswith("| T2w | T1w | proposed |"))
    assert f"| {found:.4f} | 4 |" in line
    assert next(line for line in text.splitlines() if "| RF (random" in line).endswith("| – | 4 |")
    assert len(bars) == 2


def test_a_second_training_is_the_one_of_the_next_seed(joyce):
    plan = missing.experiment(joyce)
    maker = next(arm.maker for arm in plan.arms if arm.method == "one")
    pair, part = missing.PAIRS[-1], plan.parts[0]
    next_seed = Joyce(replace(joyce.settings, overrides=(*joyce.settings.overrides, "seed=1")))
    other = next(arm.maker for arm in missing.experiment(next_seed).arms if arm.method == "one")
    assert maker.origin(again(part, 1), [pair]) == other.origin(part, [pair])
    assert maker.origin(part, [pair]) != other.origin(part, [pair])


def test_a_table_of_some_methods_asks_for_no_others_and_has_a_page_of_its_own(joyce, tmp_path):
    settings = replace(joyce.settings, methods=("one", "dedicated"))
    plan = missing.experiment(Joyce(settings)).only(settings.methods)
    outcome = run(plan, settings)
    assert {row.method for row in outcome.rows} == {"one", "dedicated"}
    paths, bars = write_report(plan, outcome, tmp_path / "out", settings)
    assert [bar.name.split(":")[0] for bar in bars] == ["One network"]
    assert paths["page"].name == "joyce-missing-one-dedicated.md"
    text = paths["page"].read_text()
    assert "--folds 2 --methods one,dedicated --quick`" in text
    assert "nan" not in text
    assert "pairs drawn" not in text.partition("| target |")[2]


def test_a_method_that_the_table_does_not_have_is_refused(joyce):
    with pytest.raises(ConfigError, match="joyce-missing has no method 'lsdn'") as refused:
        missing.experiment(joyce).only(["one", "lsdn"])
    assert "forest, one, dedicated" in refused.value.hint


def test_no_repeats_are_refused(joyce):
    with pytest.raises(ConfigError, match="0 repeats"):
        replace(joyce.settings, repeats=0)


def test_a_voxelwise_regression_is_fitted_before_the_network_learns(joyce, monkeypatch):
    given = yaml.safe_load(joyce.settings.config.read_text())
    kind = {"encoder": "residual", "decoder": "residual", "fusion": "max-mean-spread", "voxelwise": 2}
    given["network"] |= kind | {"inputs": ["T1w"], "outputs": ["T2w"]}
    given["objective"] = {"subsets": "random", "voxelwise_steps": 3}
    joyce.settings.config.write_text(yaml.safe_dump(given))
    begun = []
    fit = regression.fit_voxelwise
    monkeypatch.setattr(module, "fit_voxelwise", lambda *a, **k: begun.append(k["steps"]) or fit(*a, **k))
    fitted(joyce.trainings, joyce.config(), patients(joyce))
    fitted(joyce.trainings, joyce.config(), patients(joyce))
    assert begun == [3]


def test_a_configuration_that_starts_from_a_model_is_refused(joyce):
    with pytest.raises(ConfigError, match="trained from scratch"):
        missing.experiment(Joyce(replace(joyce.settings, overrides=("start=anysubset-brain",))))


@pytest.mark.parametrize("table", [unimodal, missing, misaligned, transfer])
def test_several_devices_are_refused_before_anything_is_made(joyce, tmp_path, table):
    cache = tmp_path / "prepared"
    changes = ("run.devices=2", f"data.cache={cache}")
    several = replace(joyce.settings, overrides=(*joyce.settings.overrides, *changes))
    with pytest.raises(ConfigError, match=r"trained in one process.*--set run\.devices=1"):
        table.experiment(Joyce(several))
    assert not cache.exists()
    assert not joyce.settings.folder.exists()


def test_what_two_tables_train_alike_is_trained_once(joyce):
    folder = joyce.settings.folder.parent

    def digests(table):
        at = Joyce(replace(joyce.settings, folder=folder / table.__name__.rpartition(".")[2]))
        plan = table.experiment(at)
        assert at.trainings == folder / "networks"
        return {
            (line.method, line.pair): digest
            for line in plan.lines
            for arm in plan.arms
            if arm.method == line.method and isinstance(arm.maker, Trained)
            for digest in arm.maker.origin(plan.parts[0], [line.pair])["trainings"]
        }

    one, two, three = digests(unimodal), digests(missing), digests(misaligned)
    from_t1, from_t2 = (("T1w",), "FLAIR"), (("T2w",), "FLAIR")
    assert one["proposed", from_t1] == two["dedicated", from_t1]
    assert three["single", from_t2] == two["dedicated", from_t2]
    assert three["aligned", misaligned.BOTH] == two["dedicated", (("T1w", "T2w"), "FLAIR")]
    assert three["transformed", misaligned.BOTH] not in two.values()
    assert three["misaligned", misaligned.BOTH] not in two.values()


def test_what_was_made_is_not_made_again(joyce):
    plan = misaligned.experiment(joyce)
    first = run(plan, joyce.settings)
    times = trained(joyce)
    again = run(plan, joyce.settings, pytest.fail)
    assert trained(joyce) == times
    assert {(r.key, r.region) for r in first.rows} == {(r.key, r.region) for r in again.rows}


def test_rows_are_dropped_and_nothing_else_when_their_network_is_another(joyce):
    run(misaligned.experiment(joyce), joyce.settings)
    changed = Joyce(replace(joyce.settings, overrides=(*joyce.settings.overrides, "optim.lr=0.01")))
    told = []
    run(misaligned.experiment(changed), changed.settings, lambda step: told.append(step.message))
    assert not [message for message in told if "by forest" in message]
    assert [message for message in told if "by transformed" in message]


def test_the_same_motion_is_drawn_again_and_another_for_each_patient(joyce, tmp_path):
    view = Misaligned(tmp_path / "moved", ("T1w",))
    first, other = view.motion("a", "T1w"), view.motion("b", "T1w")
    assert np.array_equal(first[0], view.motion("a", "T1w")[0])
    assert not np.allclose(first[0], other[0])
    draws = [view.motion(str(number), "T1w") for number in range(200)]
    angles, shifts = (np.abs([draw[side] for draw in draws]) for side in (0, 1))
    assert 7 < angles.max() <= 8
    assert 1.7 < shifts.max() <= 2
    assert not np.allclose(Misaligned(tmp_path, ("T1w",), seed=1).motion("a", "T1w")[0], first[0])


def test_a_patient_can_be_seen_in_several_places_and_out_of_slices_only(tmp_path):
    view = Misaligned(tmp_path, ("T1w",))
    again = replace(view, draw=1)
    assert not np.allclose(view.motion("a", "T1w")[0], again.motion("a", "T1w")[0])
    left = replace(again, within_slices=False)
    (angles, shift), (all_angles, all_shift) = (seen.motion("a", "T1w") for seen in (left, again))
    assert list(angles) == [0, *all_angles[1:]]
    assert list(shift) == [all_shift[0], 0, 0]
    assert len({view.name, again.name, left.name}) == 3


def test_a_network_learns_from_every_way_its_patients_are_seen(joyce):
    plan = misaligned.experiment(joyce)
    often = next(arm for arm in plan.arms if arm.method == "out-of-slices")
    part = plan.parts[0]
    (training,) = often.maker.origin(part, [misaligned.BOTH])["trainings"]
    assert training not in replace(often.maker, more=()).origin(part, [misaligned.BOTH])["trainings"]
    run(replace(plan, arms=(often,)), joyce.settings)
    card = Bundle.open(joyce.trainings / training / "bundle").card
    assert len(card.training["subjects"]) == misaligned.MOTIONS * len(part.learn)


def test_only_the_moved_contrast_is_out_of_place(joyce, tmp_path):
    patient = patients(joyce)[0]
    moved = Misaligned(tmp_path / "moved", ("T1w",))(patient)
    for contrast in CONTRASTS:
        same = np.array_equal(moved.volume(contrast), patient.volume(contrast))
        assert same == (contrast != "T1w")
    assert np.array_equal(moved.mask, patient.mask)
    assert moved.record()["sha256"] == patient.record()["sha256"]


def test_a_contrast_out_of_place_is_brought_back_to_the_other(tmp_path):
    study = brain_study(("T1w", "T2w"), shape=(44, 52, 36), spacing=(4, 4, 4), lesion=True, name="head")
    patient_folder(tmp_path / "data" / "head", study)
    data = DataConfig(
        root=str(tmp_path / "data"), contrasts=("T1w", "T2w"), spacing_mm=4.0, cache=str(tmp_path)
    )
    (head,), _ = prepare_all(find_subjects(data), data)
    view = Misaligned(tmp_path / "moved", ("T1w",))
    back = Realigned(tmp_path / "back", view, "T2w")(head)
    truth = head.volume("T1w")
    before, after = (np.abs(seen.volume("T1w") - truth)[head.mask].mean() for seen in (view(head), back))
    assert after < 0.5 * before
    assert np.array_equal(back.volume("T2w"), head.volume("T2w"))


def test_a_motion_turns_and_shifts_as_it_says():
    volume = np.zeros((9, 11, 13), np.float32)
    volume[4, 5, 6] = 1  # the centre
    shifted = rigidly_moved(volume, np.zeros(3), np.array([1.0, 2.0, -1.0]))
    assert np.unravel_index(shifted.argmax(), shifted.shape) == (5, 7, 5)
    cube = np.zeros((11, 11, 11), np.float32)
    cube[5, 8, 5] = 1  # three towards A
    turned = rigidly_moved(cube, np.array([90.0, 0, 0]), np.zeros(3))
    assert np.unravel_index(turned.argmax(), turned.shape) == (5, 5, 8)
    assert np.array_equal(rigidly_moved(volume, np.zeros(3), np.zeros(3)), volume)


def test_places_run_from_0_to_1_along_each_axis_of_the_brain(joyce, tmp_path):
    patient = patients(joyce)[0]
    located = Located(tmp_path / "located")(patient)
    assert located.contrasts == (*patient.contrasts, *LOCATION)
    for axis, name in enumerate(LOCATION):
        place = located.volume(name)
        assert place.min() == 0
        assert place.max() == pytest.approx(1, abs=1e-3)
        along = np.moveaxis(place, axis, 0)
        inside = np.moveaxis(patient.mask, axis, 0)
        means = [plane[mask].mean() for plane, mask in zip(along, inside, strict=True) if mask.any()]
        assert means == sorted(means)


def test_transfer_learns_from_other_patients_of_the_target_and_never_from_test(joyce, tmp_path):
    plan = transfer.experiment(joyce)
    assert not [sentence for sentence in plan.protocol if "folds" in sentence]
    assert {part.name for part in plan.parts} == {"ms/case4", "ms/case5", "ms/case6"}
    (cost,) = [sentence for sentence in plan.protocol if "neither the paper's" in sentence]
    assert "0.2 times the absolute and 1 times the squared error" in cost
    assert "The published 64%, 66%, 69%" in cost
    tuned = {arm.method: arm.maker for arm in plan.arms}
    for part in plan.parts:
        assert all(p.subject.startswith("tumour/") for p in part.learn)
        taught = [p.subject for p in tuned["decoder-2"].taught_by(part)]
        assert part.name not in taught
        assert "ms/case6" not in taught
    outcome = run(plan, joyce.settings)
    methods = {row.patient: set() for row in outcome.rows}
    for row in outcome.rows:
        methods[row.patient].add(row.method)
    kinds = ("", "framed-")
    assert methods["ms/case4"] == {f"{kind}{method}" for kind in kinds for method in ("as-is", "decoder-1")}
    assert methods["ms/case6"] == methods["ms/case4"] | {"decoder-2", "framed-decoder-2"}
    paths, bars = write_report(plan, outcome, tmp_path / "out", joyce.settings)
    text = paths["page"].read_text()
    assert "| 3.990 |" in text
    assert "ms, normalised as in the paper: fine-tuned on 2" in text
    assert bars[-1].name == "Fine-tuning takes at most 5 minutes"


def test_a_brain_seen_in_the_papers_units_is_brighter_the_less_of_its_frame_it_fills(joyce, tmp_path):
    patient = patients(joyce)[0]
    wide, tight = (Framed(tmp_path / "framed", frame) for frame in ((128, 128), (112, 80)))
    assert wide.brightness(patient) / tight.brightness(patient) == pytest.approx(128 * 128 / (112 * 80))
    shown = patient.mask.any(axis=(1, 2))
    for view in (wide, tight):
        seen = view(patient).volume("T1w")
        whole = seen[patient.mask].sum(dtype=float) / (shown.sum() * view.frame[0] * view.frame[1])
        assert whole == pytest.approx(1, rel=0.01)  # the mean over the whole frame
    assert np.array_equal(wide(patient).mask, patient.mask)


def test_what_a_network_makes_in_the_papers_units_is_brought_back(joyce, tmp_path, monkeypatch):
    plan = transfer.experiment(joyce)
    arm = next(arm for arm in plan.arms if arm.method == "framed-as-is")
    part = plan.parts[0]

    def made(predictor, seen, requests, planes):
        return {request: seen.volume(request[1]) for request in requests}  # the truth, in its units

    monkeypatch.setattr("napari_mrsynth.training.heldout.synthesise", made)
    ((patient, pair, image),) = arm.maker.make(part, {transfer.PAIR: part.judge}, Teller(None, 1))
    assert patient is part.judge[0]
    inside = patient.mask
    assert np.allclose(image[inside], patient.volume(pair[1])[inside], rtol=0.01, atol=1e-3)
    assert arm.maker.origin(part, [pair])["source"] != plan.arms[0].maker.origin(part, [pair])["source"]


def test_transfer_from_a_single_source_is_refused(joyce, root, tmp_path):
    alone = tmp_path / "alone" / "tumour"
    alone.parent.mkdir()
    alone.symlink_to(root / "data" / "tumour")
    table = "subject\tsplit\n" + "".join(f"tumour/case{number}\ttrain\n" for number in range(4))
    (alone.parent / "subjects.tsv").write_text(table)
    settings = replace(joyce.settings, overrides=(*joyce.settings.overrides, f"data.root={alone.parent}"))
    with pytest.raises(InputError, match="come from one source"):
        transfer.experiment(Joyce(settings))


def test_too_few_patients_for_the_folds_are_refused_with_what_they_need(joyce):
    whole = Joyce(replace(joyce.settings, quick=False, folds=9))
    with pytest.raises(
        InputError, match=r"Only 5 patients .* have T1w, T1ce, T2w, FLAIR: too few for 9 folds"
    ):
        missing.experiment(whole)
