"""Importing the package costs nothing: no imaging library is loaded until a file needs it."""

from __future__ import annotations

import subprocess
import sys


def test_importing_io_loads_no_imaging_library():
    heavy = ("nibabel", "SimpleITK", "pydicom", "torch", "scipy")
    code = f"import sys, napari_mrsynth.io; print([name for name in {heavy} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
