"""The checkout keeps its promises: layers, a light import, commands that exist, nothing of one machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import napari_mrsynth

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".cff", ".txt", ".json", ""}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home|Users|work|opt|mnt)/\w")
INDEX_ADDRESS = re.compile(r"--(?:extra-)?index-url|--find-links|download\.pytorch\.org/whl")


def tracked() -> list[Path]:
    """Return the text files that git tracks, or all of them where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    listed = [CHECKOUT / name for name in done.stdout.split("\0") if name]
    files = listed or [path for path in CHECKOUT.rglob("*") if ".venv" not in path.parts]
    return [path for path in files if path.suffix in TEXT and path.is_file()]


def test_the_layers_import_only_downwards():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_is_quick_and_brings_nothing_heavy():
    code = (
        "import sys, time; before = set(sys.modules); began = time.perf_counter(); import napari_mrsynth; "
        "print(time.perf_counter() - began); print(*{name.split('.')[0] for name in {*sys.modules} - before})"
    )
    seconds = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        took, brought = done.stdout.splitlines()
        seconds.append(float(took))
        heavy = {
            "numpy",
            "torch",
            "napari",
            "qtpy",
            "magicgui",
            "nibabel",
            "scipy",
            "SimpleITK",
            "dipy",
            "monai",
        }
        assert not heavy & set(brought.split())
    assert min(seconds) <= 0.3


def test_the_two_readme_commands_are_one_line_each_and_exist():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for command in ("demo", "test"):
        assert re.search(rf"^\./dev {command}\b", readme, re.MULTILINE)
    assert os.access(CHECKOUT / "dev", os.X_OK)
    assert os.access(CHECKOUT / ".ci" / "run", os.X_OK)
    script = (CHECKOUT / "dev").read_text(encoding="utf-8")
    assert all(f"  {command})" in script for command in ("setup", "demo", "test"))


@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_the_scripts_are_valid_bash(script):
    subprocess.run(["bash", "-n", str(CHECKOUT / script)], check=True)


def test_no_tracked_file_names_a_path_of_one_machine_or_a_package_index():
    found = [
        f"{path.relative_to(CHECKOUT)}: {match.group()}"
        for path in tracked()
        for pattern in (MACHINE_PATH, INDEX_ADDRESS)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
        if path != Path(__file__)
    ]
    assert not found


def test_relative_links_in_the_documentation_lead_somewhere():
    broken = []
    for page in [
        *CHECKOUT.glob("*.md"),
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / "models").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if (
                "://" not in target
                and not target.startswith("mailto:")
                and not (page.parent / target).exists()
            ):
                broken.append(f"{page.relative_to(CHECKOUT)} -> {target}")
    assert not broken


def test_the_version_is_told_alike_everywhere():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == napari_mrsynth.__version__
    assert len(citation["references"]) >= 4


def test_torch_is_pinned_in_the_constraints_alone():
    pinned = [
        line for line in (CHECKOUT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")
    ]
    assert len(pinned) == 1
    assert '"torch>=' in (CHECKOUT / "pyproject.toml").read_text()
    assert not re.search(r'"torch[^"]*==', (CHECKOUT / "pyproject.toml").read_text())
