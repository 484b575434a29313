"""Building a data set: the same whoever makes it, restartable after a kill, with all refusals counted."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lesion_cohort import write_cohort
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.datasets import running, sources
from napari_mrsynth.datasets.build import Order, build
from napari_mrsynth.datasets.folder import DatasetFolder
from napari_mrsynth.datasets.recipe import seeds_of
from napari_mrsynth.datasets.record import DICE, LESION, MAP, Record, Refusal, summary
from napari_mrsynth.datasets.sample import Workshop
from napari_mrsynth.errors import (
    BundleError,
    ConfigError,
    FormatError,
    InputError,
    LabelError,
    MrsynthError,
    OutputError,
)
from napari_mrsynth.io import read_patient


def order(out: Path, library: Path, count: int = 3, **changes: object) -> Order:
    return replace(Order(count, out, library, seed=5, threshold=0.0, outline=0.1), **changes)


def images(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.nii.gz"))}


@pytest.fixture(scope="module")
def unfiltered(store: BundleStore, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three samples, none refused by the segmenter."""
    out = tmp_path_factory.mktemp("unfiltered") / "set"
    build(order(out, library), store)
    return out


def test_every_sample_is_a_whole_patient_marked_as_synthetic(unfiltered):
    for name in ("sub-000001", "sub-000002", "sub-000003"):
        files = read_patient(unfiltered / name, synthetic=True)
        assert {volume.contrast for volume in files.volumes} == {"T1w", "FLAIR"}
        assert all(volume.is_synthetic for volume in files.volumes)
        assert files.lesions is not None
        assert set(files.lesions.present) <= {1, 2, 4}
        assert files.mask is not None
        assert not (files.lesions.array.astype(bool) & ~files.mask.array.astype(bool)).any()
        for sidecar in (unfiltered / name / "anat").glob("*.json"):
            assert json.loads(sidecar.read_text())["Synthetic"] is True
        with pytest.raises(InputError, match="synthetic, not acquired"):
            read_patient(unfiltered / name)  # nobody takes it for a real patient by accident
    assert json.loads((unfiltered / "dataset_description.json").read_text())["Synthetic"] is True
    assert (unfiltered / "participants.tsv").read_text().count("\n") == 4


def test_samples_differ_and_seeds_depend_on_nothing_but_set_sample_and_attempt(unfiltered):
    scans = [content for name, content in images(unfiltered).items() if "T1w" in name]
    assert len(set(scans)) == 3
    assert seeds_of(5, 1, 0) == seeds_of(5, 1, 0)
    others = {seeds_of(*numbers) for numbers in ((5, 1, 0), (6, 1, 0), (5, 2, 0), (5, 1, 1))}
    assert len(others) == 4


def test_two_processes_make_the_same_set(unfiltered, store, library, tmp_path):
    built = build(order(tmp_path / "two", library, jobs=2), store)
    assert images(tmp_path / "two") == images(unfiltered)
    assert built.manifest == DatasetFolder(unfiltered).manifest()


def test_more_samples_are_added_to_a_set_and_are_those_it_would_have_had(
    unfiltered, store, library, tmp_path
):
    build(order(tmp_path / "set", library, count=2), store)
    more = build(order(tmp_path / "set", library, count=3), store)
    assert more.fresh == 1
    assert images(tmp_path / "set") == images(unfiltered)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from dataclasses import replace
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.datasets import folder
from napari_mrsynth.datasets.build import Order, build

out = Path(sys.argv[1])
keep = folder.DatasetFolder.keep

def killed(self, record):
    if record.index == 1:  # its files are there, its record is not
        (out / ".sub-000003.0000.part" / "anat").mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
    keep(self, record)

folder.DatasetFolder.keep = killed
build(Order(3, out, Path(sys.argv[2]), seed=5, threshold=0.0, outline=0.1), BundleStore([sys.argv[3]]))
"""


def test_a_killed_build_keeps_what_is_finished_and_goes_on(unfiltered, store, library, tmp_path):
    out = tmp_path / "set"
    arguments = [str(out), str(library), str(store.roots[0]), str(Path(__file__).parents[1])]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    assert (out / "sub-000002").is_dir()
    assert (out / ".sub-000003.0000.part").is_dir()
    first = out / "sub-000001" / "anat" / "sub-000001_desc-synthetic_T1w.nii.gz"
    before = first.stat().st_mtime_ns
    again = build(order(out, library), store)
    assert again.fresh == 2
    assert first.stat().st_mtime_ns == before
    assert not list(out.glob(".*.part"))
    assert images(out) == images(unfiltered)
    assert again.manifest == DatasetFolder(unfiltered).manifest()


def test_a_build_killed_before_its_first_manifest_is_begun_again(unfiltered, store, library, tmp_path):
    out = tmp_path / "set"
    (out / ".records").mkdir(parents=True)
    (out / "README.md").write_text("# A synth")
    (out / ".0123abcd.part.manifest.json").write_text("{")
    assert build(order(out, library, count=1), store).fresh == 1
    assert not list(out.glob(".*.part.*"))
    (out / "manifest.json").unlink()
    with pytest.raises(FormatError, match=r"manifest\.json is gone"):
        build(order(out, library, count=1), store)


def test_going_on_touches_nothing_but_the_sets_own_samples(unfiltered, store, library, tmp_path):
    out = shutil.copytree(unfiltered, tmp_path / "set")
    mine = out / "sub-mine" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    lost = out / "sub-000002" / "anat" / "sub-000002_desc-synthetic_FLAIR.nii.gz"
    lost.unlink()
    assert build(order(out, library), store).fresh == 1
    assert mine.read_text() == "precious"
    assert images(out) == images(unfiltered)


def test_the_manifest_counts_what_the_filters_refused(unfiltered, store, library, tmp_path):
    dice = sorted(each["dice"]["overall"] for each in DatasetFolder(unfiltered).manifest()["samples"])
    threshold = (dice[1] + dice[2]) / 2
    built = build(order(tmp_path / "set", library, threshold=threshold, attempts=2), store)
    manifest, records = built.manifest, DatasetFolder(tmp_path / "set").records()
    kept = [record for record in records if record.accepted]
    assert 0 < len(kept) < 3 or manifest["attempts"] > 3
    assert all(record.about["dice"]["overall"] >= threshold for record in kept)
    refused = [refusal for record in records for refusal in record.refusals]
    assert all(r.dice < threshold for r in refused if r.reason == DICE)
    assert manifest["made"] + manifest["given_up"] == manifest["asked"] == 3
    assert manifest["attempts"] == manifest["made"] + len(refused)
    assert manifest["acceptance_rate"] == pytest.approx(len(kept) / manifest["attempts"])
    assert sum(manifest["refused"].values()) == len(refused) > 0
    assert {path.name for path in (tmp_path / "set").glob("sub-*")} == {record.name for record in kept}
    assert manifest["known"][0]["id"] == "tumour/p9"


def test_rates_are_shares_of_what_reached_each_filter():
    records = [
        Record(
            "sub-000001", 0, True, (Refusal(MAP, "", maps=50), Refusal(DICE, "", 0.5, 3)), 60, _about(0.97)
        ),
        Record("sub-000002", 1, False, (Refusal(LESION, "", maps=1), Refusal(DICE, "", 0.3, 2)), 3),
    ]
    said = summary(records, 2)
    assert said["acceptance_rate"] == 1 / 5
    assert said["filters"][MAP] == {"reached": 63, "passed": 4, "rate": 4 / 63}
    assert said["filters"][LESION] == {"reached": 4, "passed": 3, "rate": 3 / 4}
    assert said["filters"][DICE] == {"reached": 3, "passed": 1, "rate": 1 / 3}
    assert said["dice"]["kept"] == 0.97
    assert said["dice"]["before_the_filter"] == pytest.approx((0.97 + 0.5 + 0.3) / 3)
    assert not said["dice"]["set_reaches_it"]


def _about(dice: float) -> dict[str, object]:
    return {"dice": {"overall": dice}}


def test_a_set_is_not_mixed_with_another_recipe_or_other_files(unfiltered, store, library, tmp_path):
    with pytest.raises(ConfigError, match="begun with another threshold"):
        build(order(unfiltered, library, threshold=0.5), store)
    other = shutil.copytree(library, tmp_path / "others")
    (other / ".DS_Store").write_text("a window's memory")
    assert build(order(unfiltered, other), store).fresh == 0
    (other / "two_seg.nii.gz").unlink()
    with pytest.raises(ConfigError, match="begun with another lesion maps"):
        build(order(unfiltered, other), store)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds something else"):
        build(order(tmp_path / "mine", library), store)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_two_builds_do_not_share_a_folder(tmp_path):
    folder, other = (DatasetFolder(tmp_path / "set") for _ in range(2))
    with folder.alone(), pytest.raises(ConfigError, match=r"Another build runs in .*set"), other.alone(0.1):
        pass
    with other.alone(0.1):
        pass


def test_bad_orders_are_refused_before_anything_is_written(store, library, tmp_path):
    out = tmp_path / "set"
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[type[MrsynthError], str, dict[str, object]]] = [
        (ConfigError, "Whose anatomy", {"anatomy": "patients"}),
        (ConfigError, "cannot come from 'clouds'", {"anatomy": "clouds"}),
        (ConfigError, "threshold is 95", {"threshold": 95.0}),
        (ConfigError, "0 attempts", {"attempts": 0}),
        (ConfigError, "map error is 5", {"outline": 5.0}),
        (LabelError, "no usable lesion map", {"labels": empty}),
        (ConfigError, "No lesions to draw from", {"labels": None}),
        (BundleError, "No model that makes scans of stroke", {"disease": "stroke"}),
        (InputError, "DWI cannot be made", {"contrasts": ("DWI",)}),
    ]
    for kind, said, changes in cases:
        with pytest.raises(kind, match=said):
            build(order(out, library, **changes), store)
    with pytest.raises(ConfigError, match="0 samples"):
        order(out, library, count=0)
    assert not out.exists()


def test_anatomy_of_patients_is_whole_without_their_lesions_and_never_of_the_test_split(
    store, library, tmp_path
):
    cohort = write_cohort(tmp_path / "cohort", patients=3, unlabelled=1)
    (cohort / "subjects.tsv").write_text(
        "subject\tsplit\np0\ttrain\np1\ttrain\np2\ttest\np3\ttrain\n", encoding="utf-8"
    )
    asked = order(tmp_path / "set", library, count=4, anatomy="patients", data=cohort)
    built = build(asked, store)
    made = built.manifest["samples"]
    assert {each["anatomy"]["patient"] for each in made} == {"p0", "p1"}
    assert [name for name, _ in built.skipped] == ["p3"]
    assert {entry["id"] for entry in built.manifest["known"]} == {"tumour/p9", "p0", "p1"}
    scan = nib.load(tmp_path / "set" / made[0]["files"]["T1w"])
    real = nib.load(cohort / "p0" / "p0_T1w.nii.gz")
    assert scan.shape == real.shape
    assert np.allclose(scan.affine, real.affine)
    label = np.asarray(nib.load(tmp_path / "set" / made[0]["files"]["label"]).dataobj)
    assert np.count_nonzero(label.any(axis=(0, 1))) > 1


@pytest.mark.parametrize("gone", ["patients", "maps"])
def test_what_is_there_no_longer_ends_the_build_and_is_no_refusal(
    store, library, tmp_path, monkeypatch, gone
):
    cohort = write_cohort(tmp_path / "cohort", patients=2)
    maps = shutil.copytree(library, tmp_path / "maps")
    asked = order(tmp_path / "set", maps, count=2, anatomy="patients", data=cohort)
    lost = cohort if gone == "patients" else maps
    attempt = Workshop.attempt

    def losing(self, index, number):
        if index == 1:
            lost.rename(tmp_path / "elsewhere")
            self.library._read.cache_clear()
        return attempt(self, index, number)

    monkeypatch.setattr(Workshop, "attempt", losing)
    monkeypatch.setattr(sources, "KEPT", 0)
    with pytest.raises(InputError, match=r"any more|no longer"):
        build(asked, store)
    assert [record.accepted for record in DatasetFolder(tmp_path / "set").records()] == [True]


def test_without_a_folder_of_maps_the_lesions_are_those_of_the_chosen_patients(store, library, tmp_path):
    cohort = write_cohort(tmp_path / "cohort", patients=3)
    (cohort / "subjects.tsv").write_text("subject\tsplit\np0\ttrain\np1\ttrain\np2\ttest\n", encoding="utf-8")
    out = tmp_path / "set"
    own = order(out, library, count=2, labels=None, anatomy="patients", data=cohort, only="p[12]")
    built = build(own, store)
    assert built.manifest["lesion_maps"] == ["p1/p1_seg"]
    assert {each["lesion"]["shape"] for each in built.manifest["samples"]} == {"p1/p1_seg"}
    assert built.manifest["made"] == 2
    moved = shutil.move(cohort, tmp_path / "moved")
    assert build(replace(own, data=moved), store).fresh == 0  # contents count, not where they lie
    with pytest.raises(ConfigError, match="begun with another lesion maps"):
        build(replace(own, labels=library, data=moved), store)
    with pytest.raises(ConfigError, match="begun with another lesion maps, patients"):
        build(replace(own, only="p*", data=moved), store)


def test_a_lesion_that_its_own_slices_do_not_show_is_refused_without_the_rest(store, library, tmp_path):
    cohort = write_cohort(tmp_path / "cohort", patients=1)
    asked = order(tmp_path / "set", library, 1, anatomy="patients", data=cohort, threshold=1.0, attempts=2)
    build(asked, store)
    (record,) = DatasetFolder(tmp_path / "set").records()
    assert not record.accepted
    assert all("in the lesion's slices" in refusal.detail for refusal in record.refusals)


def test_a_cluster_without_its_package_is_refused_with_the_remedy(store, library, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="distributed, which is not installed") as caught:
        build(order(tmp_path / "set", library, dask="tcp://nowhere:1"), store)
    assert "pip install" in caught.value.hint
    assert not (tmp_path / "set").exists()


class Scheduler:
    """Stands in for the package distributed: runs what it is sent, which must survive the way there."""

    class KilledWorker(Exception):  # noqa: N818  (its name there)
        pass

    def __init__(self, dies_after: int = 99) -> None:
        self.dies_after, self.closed = dies_after, False

    def Client(self, address: str, timeout: str) -> Scheduler:
        if address != "tcp://here:8786":
            raise OSError(f"timed out connecting to {address}")
        return self

    def map(self, function, *arguments, pure: bool):
        assert not pure
        sent = [pickle.dumps((function, each)) for each in zip(*arguments, strict=True)]
        return list(reversed(sent))  # in no order that anybody may count on

    def as_completed(self, futures, with_results: bool):
        assert with_results
        for done, future in enumerate(futures):
            if done == self.dies_after:
                raise self.KilledWorker("sample")
            function, arguments = pickle.loads(future)
            yield future, pickle.loads(pickle.dumps(function(*arguments)))

    def cancel(self, futures) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def scheduler(monkeypatch):
    stand_in = Scheduler()
    monkeypatch.setitem(sys.modules, "distributed", stand_in)
    monkeypatch.setattr(running, "find_spec", lambda name: stand_in)
    return stand_in


def test_samples_sent_to_a_scheduler_are_those_made_here(unfiltered, store, library, tmp_path, scheduler):
    built = build(order(tmp_path / "set", library, dask="tcp://here:8786"), store)
    assert images(tmp_path / "set") == images(unfiltered)
    assert built.manifest == DatasetFolder(unfiltered).manifest()
    assert scheduler.closed


def test_a_cluster_that_dies_or_does_not_answer_is_told_and_what_is_finished_kept(
    unfiltered, store, library, tmp_path, scheduler
):
    out = tmp_path / "set"
    with pytest.raises(ConfigError, match="No Dask scheduler answers at tcp://gone:1"):
        build(order(out, library, dask="tcp://gone:1"), store)
    scheduler.dies_after = 1
    with pytest.raises(InputError, match="Workers of the cluster died"):
        build(order(out, library, dask="tcp://here:8786"), store)
    assert DatasetFolder(out).manifest()["made"] == 1
    assert build(order(out, library), store).fresh == 2
    assert images(out) == images(unfiltered)


@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask's distributed is not installed")
def test_a_cluster_makes_the_same_set(unfiltered, store, library, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        build(order(tmp_path / "set", library, dask=cluster.scheduler_address), store)
    assert images(tmp_path / "set") == images(unfiltered)
