"""What a training does with patients, folders and settings that are not as they should be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_mrsynth.errors import ConfigError, DeviceError, InputError, MrsynthError, OutputError
from napari_mrsynth.training.config import DataConfig, load_config
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.run import export, train
from napari_mrsynth.training.runfolder import RunFolder
from phantoms import affine_of, nifti_file, phantom

SHAPE = (30, 36, 26)


@pytest.fixture
def mine(cohort: Path, tmp_path: Path) -> Path:
    """A copy of the cohort that a test may damage."""
    return Path(shutil.copytree(cohort, tmp_path / "mine"))


def data(root: Path, **changes: object) -> DataConfig:
    return DataConfig(
        str(root),
        contrasts=("T1w", "T2w"),
        spacing_mm=5.0,
        cache=str(root.parent / "prepared-mine"),
        **changes,  # type: ignore[arg-type]
    )


def scan_of(patient: Path, contrast: str) -> Path:
    return patient / f"{patient.name}_{contrast}.nii.gz"


def no_contrast(patient: Path) -> None:
    scan_of(patient, "T2w").unlink()


def truncated(patient: Path) -> None:
    path = scan_of(patient, "T2w")
    path.write_bytes(path.read_bytes()[:500])


def text(patient: Path) -> None:
    scan_of(patient, "T2w").write_text("not an image")


def empty(patient: Path) -> None:
    for path in patient.iterdir():
        path.unlink()


def constant(patient: Path) -> None:
    scan = phantom(SHAPE, affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS"), "T2w")
    nifti_file(scan_of(patient, "T2w"), scan.array * 0, scan.grid.affine)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (no_contrast, "p1 has no T2w"),
        (truncated, "p1_T2w.nii.gz"),
        (text, "p1_T2w.nii.gz"),
        (empty, "p1"),
        (constant, "T2w"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_patient_that_cannot_be_used_is_skipped_with_the_reason(
    mine: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(mine / "p1")
    material = gather(data(mine))
    assert [p.subject for p in material.patients] == ["p0", "p2"]
    ((name, reason),) = material.skipped
    assert name == "p1"
    assert says in reason


def test_a_patient_of_the_table_who_is_not_there_is_skipped_with_the_reason(mine: Path) -> None:
    (mine / "subjects.tsv").write_text("subject\tsplit\np0\ttrain\np7\ttrain\n")
    material = gather(data(mine))
    assert [name for name, _ in material.skipped] == ["p7"]
    assert "p7" in material.skipped[0][1]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"contrasts": ["T1w", "T2w", "CT"]}, InputError, "No patient can be used: p0: p0 has no CT"),
        ({"folds": 5}, ConfigError, "3 patients cannot be dealt into 5 folds"),
        ({"folds": 3, "fold": 3}, ConfigError, "data.fold is 3; with 3 folds it is 0 to 2"),
        ({"held_out": ["p8"]}, ConfigError, "p8, who is not among the patients"),
        ({"held_out": ["p0", "p1", "p2"]}, InputError, "Everybody is held out"),
        ({"split": "best"}, InputError, "in the split 'best'"),
    ],
)
def test_patients_that_cannot_be_split_as_asked_are_refused(
    cohort: Path, changes: dict[str, object], kind: type[MrsynthError], says: str
) -> None:
    settings = {"contrasts": ("T1w", "T2w"), "spacing_mm": 5.0, "cache": str(cohort.parent / "prepared")}
    with pytest.raises(kind, match=says):
        gather(DataConfig(str(cohort), **{**settings, **changes}))  # type: ignore[arg-type]


def test_a_held_out_patient_who_cannot_be_used_is_not_passed_over(mine: Path) -> None:
    no_contrast(mine / "p2")
    no_contrast(mine / "p1")  # who is to be learnt from, and no reason to refuse p2
    with pytest.raises(InputError, match=r"held out can be used: p2: p2 has no T2w[^;]*$"):
        gather(data(mine, held_out=("p2",)))


def test_folds_are_dealt_from_those_who_can_be_used(mine: Path) -> None:
    truncated(mine / "p1")  # alone in the middle one of three folds
    for fold, name in enumerate(("p0", "p2")):
        material = gather(data(mine, folds=2, fold=fold))
        assert [patient.subject for patient in material.held_out] == [name]
        assert len(material.patients) == 1
    with pytest.raises(
        ConfigError, match=r"2 patients cannot be dealt into 3 folds\. Left out: p1: .*p1_T2w"
    ):
        gather(data(mine, folds=3, fold=1))


def test_a_copy_of_a_learnt_patient_cannot_be_held_out(mine: Path) -> None:
    for contrast in ("T1w", "T2w"):
        (mine / "p9").mkdir(exist_ok=True)
        shutil.copy(scan_of(mine / "p0", contrast), scan_of(mine / "p9", contrast))
    with pytest.raises(InputError, match=r"of p9, who is held out, is also a scan of p0"):
        gather(data(mine, held_out=("p9",)))
    assert len(gather(data(mine, held_out=("p0", "p9"))).held_out) == 2


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_patients(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bad = DataConfig(
        str(cohort), contrasts=("T1w", "T2w"), spacing_mm=5.0, cache=str(tmp_path / "file" / "cache")
    )
    with pytest.raises(OutputError, match="Prepared patients cannot be kept"):
        gather(bad)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"network": {"encodr": "unet"}}, r"no setting 'network\.encodr'.*encoder"),
        ({"network": {"latent": "two"}}, r"'network\.latent' is 'two'; it should be a whole number"),
        ({"network": {"inputs": "T1w"}}, r"'network\.inputs' is 'T1w'; it should be a list"),
        ({"network": {"name": "anysubst"}}, "no network called 'anysubst'.*anysubset"),
        ({"network": {"inputs": ["T1w"], "outputs": ["T1w"]}}, "nothing is to be made from T1w but itself"),
        ({"objective": {"subsets": "rnadom"}}, "subsets is 'rnadom', which is neither 'all' nor 'random'"),
        ({"objective": {"variance": "much"}}, r"'objective\.variance' is 'much'; it should be a number"),
        ({"objective": {"squared": -1}}, r"objective\.squared is -1"),
        ({"optim": {"crop": 25}}, r"optim\.crop is 25, but this network needs a multiple of 4.*28"),
        ({"network": {"encoder": "vnet"}}, "vnet"),
        ({"network": {"outputs": ["CT"]}}, "CT, which data.contrasts does not list"),
        ({"objective": {"sqared": 1.0}}, r"no setting 'objective\.sqared'.*squared"),
    ],
)
def test_a_wrong_network_or_objective_is_refused_before_anything_is_made(
    written: Callable[..., Path], tmp_path: Path, section: dict[str, dict[str, object]], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        train(written(**section))
    assert not (tmp_path / "run").exists()


def test_a_number_that_yaml_reads_as_text_is_a_number_in_the_objective_too(
    written: Callable[..., Path],
) -> None:
    config = load_config(written(objective={"variance": "1e-2"}))
    assert training_system(config, [1.0, 1.0]).objective.variance == 0.01


def test_an_unknown_system_and_devices_that_are_not_there_are_refused(config: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean anysubset"):
        train(config, ["system=anysubst"])
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"run\.accelerator is 'cuda', which torch does not find"):
            train(config, ["run.accelerator=cuda"])


def test_a_run_is_not_exported_with_other_patients(
    written: Callable[..., Path], mine: Path, tmp_path: Path
) -> None:
    config = written(data={"root": str(mine), "cache": str(tmp_path / "cache"), "held_out": [], "folds": 2})
    folder = train(config).folder
    for contrast in ("T1w", "T2w"):  # another patient: the folds would be dealt anew
        scan = phantom(SHAPE, affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS"), contrast, noise=0.05, seed=17)
        nifti_file(scan_of(mine / "p00", contrast), scan.array, scan.grid.affine)
    with pytest.raises(InputError, match=r"began with other patients or scans: p00, p1, p2"):
        export(folder)


def test_a_run_folder_of_another_configuration_is_refused(config: Path) -> None:
    train(config)
    with pytest.raises(ConfigError, match=r"optim\.lr"):
        train(config, ["optim.lr=0.5"])


def test_a_run_that_came_to_no_checkpoint_does_not_keep_its_folder_from_another(
    config: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="No patient can be used"):
        train(config, ["data.contrasts=[T1w, T2w, CT]"])
    for left in ("start.json", "checkpoints/best.ckpt"):
        (tmp_path / "run" / left).parent.mkdir(exist_ok=True)
        (tmp_path / "run" / left).write_text("of the other run")
    assert train(config).start is None
    assert not (tmp_path / "run" / "start.json").exists()
    assert not (tmp_path / "run" / "checkpoints" / "best.ckpt").exists()


def test_two_trainings_do_not_share_a_run_folder(config: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    other = RunFolder(tmp_path / "run")
    with (
        folder.alone(),
        pytest.raises(ConfigError, match=r"Another training runs in .*run"),
        other.alone(0.1),
    ):
        pass
    with other.alone(0.1):
        pass


@pytest.mark.parametrize("rank", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_helping_processes_share_their_leaders_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    with RunFolder(tmp_path / "run").alone():
        monkeypatch.setenv(rank, "1")
        with RunFolder(tmp_path / "run").alone(0.1):
            pass


def test_a_damaged_checkpoint_and_damaged_records_are_named(config: Path) -> None:
    folder = train(config).folder
    records = folder / "patients.json"
    content = records.read_text()
    records.write_text(content[:50])
    with pytest.raises(InputError, match=r"patients\.json is damaged"):
        train(config)
    records.write_text(content)
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    for go_on in (lambda: train(config), lambda: export(folder)):
        with pytest.raises(InputError, match=r"last\.ckpt is damaged.*or remove it"):
            go_on()


def test_a_run_is_not_resumed_with_other_patients(
    written: Callable[..., Path], mine: Path, tmp_path: Path
) -> None:
    config = written(data={"root": str(mine), "cache": str(tmp_path / "cache")})
    train(config)
    moved = mine.rename(tmp_path / "elsewhere")
    train(config, [f"data.root={moved}"])  # the same scans in another place are the same
    scan = phantom(SHAPE, affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS"), "T2w", seed=9)
    nifti_file(scan_of(moved / "p1", "T2w"), scan.array, scan.grid.affine)
    with pytest.raises(InputError, match=r"began with other patients or scans: p1"):
        train(config, [f"data.root={moved}"])


def test_a_run_of_an_earlier_version_that_knew_fewer_settings_is_resumed(config: Path) -> None:
    folder = train(config).folder
    path = folder / "config.yaml"
    kept = [line for line in path.read_text().splitlines() if "workers" not in line]
    path.write_text("\n".join(kept))
    (folder / "patients.json").unlink()
    assert train(config).steps == 6


def test_the_run_folder_says_what_the_run_was_made_with(config: Path) -> None:
    folder = train(config).folder
    environment = json.loads((folder / "environment.json").read_text())
    assert {"napari-mrsynth", "python", "torch", "lightning", "numpy", "seed", "threads"} <= set(environment)
    patients = json.loads((folder / "patients.json").read_text())
    assert [p["id"] for p in patients["train"]] == ["p0", "p1"]
    assert [p["id"] for p in patients["held_out"]] == ["p2"]
    assert all(len(p["sha256"]) == 64 for p in patients["train"] + patients["held_out"])
    assert load_config(folder / "config.yaml").seed == 5
