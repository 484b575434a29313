"""What is installed is whole: a wheel built from the sdist holds the manifest and the models, no more."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MODELS = sorted(path.parent.name for path in (CHECKOUT / "models").glob("*/card.yaml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from an sdist built from this checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(CHECKOUT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_manifest_itself_and_not_a_link(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("napari_mrsynth/napari.yaml")
    assert packed == (CHECKOUT / "napari.yaml").read_bytes()


def test_the_wheel_holds_every_model(names):
    assert "napari_mrsynth/_models/README.md" in names
    for model in MODELS:
        for file in ("card.yaml", "model.safetensors"):
            assert f"napari_mrsynth/_models/{model}/{file}" in names


def test_the_wheel_holds_every_source_file(names):
    sources = {
        path.relative_to(CHECKOUT / "src").as_posix()
        for path in (CHECKOUT / "src").rglob("*")
        if path.suffix in {".py", ".yaml", ".typed"} and "__pycache__" not in path.parts
    }
    assert sources <= names


def test_the_wheel_holds_only_the_package(names):
    roots = {name.split("/")[0] for name in names}
    assert len(roots) == 2
    assert "napari_mrsynth" in roots
    assert not [name for name in names if name.endswith((".nii", ".nii.gz", ".pt", ".pth", ".ckpt"))]


def test_the_unpacked_wheel_works_away_from_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys, pathlib, napari_mrsynth; from napari_mrsynth.bundles import BundleStore; "
        "here = pathlib.Path(napari_mrsynth.__file__).parent; store = BundleStore([here / '_models']); "
        "print(here); print(*sorted(card.id for card in store.cards())); print(*store.problems)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    where, models, problems = done.stdout.split("\n")[:3]
    assert where == str(tmp_path / "site" / "napari_mrsynth")
    assert models.split() == MODELS
    assert problems == ""
