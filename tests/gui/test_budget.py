"""What opening the dock may import: nothing heavy. Times are measured elsewhere; modules do not lie."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "monai", "lightning", "torchio", "dipy", "SimpleITK", "sklearn", "pydicom")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing():
    assert not loaded_after("import napari_mrsynth") & {*HEAVY, "numpy", "napari", "nibabel", "qtpy"}


@pytest.mark.parametrize(
    ("module", "dock"),
    [
        ("dock", "SynthesisDock"),
        ("compare.dock", "CompareDock"),
        ("structure.dock", "StructureDock"),
        ("lesions.dock", "LesionDock"),
        ("training.dock", "TrainingDock"),
    ],
)
def test_opening_a_dock_imports_nothing_heavy(module, dock):
    code = (
        "from qtpy.QtWidgets import QApplication; app = QApplication([])\n"
        "from napari.components import ViewerModel\n"
        f"from napari_mrsynth.gui.{module} import {dock}\n"
        f"dock = {dock}(ViewerModel())\n"
    )
    assert not loaded_after(code) & {*HEAVY, "matplotlib"}
