"""``mrsynth doctor``: what a bug report needs: versions, devices, display, models, caches."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import napari_mrsynth
from napari_mrsynth.cli._output import Report, pairs
from napari_mrsynth.cli.demo import has_display

PACKAGES = (
    "napari", "npe2", "torch", "numpy", "scipy", "nibabel", "SimpleITK", "pydicom", "dipy", "scikit-image",
    "safetensors", "psygnal", "superqt", "PyQt6", "PySide6", "nilearn", "lightning", "torchio",
    "scikit-learn",
)  # fmt: skip

# Asked of another process, so that a broken torch or driver cannot take this one with it.
TORCH_QUESTION = """
import json, torch
answer = {"version": torch.__version__, "threads": torch.get_num_threads(), "cuda": torch.version.cuda,
          "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
          "mps": torch.backends.mps.is_available()}
print(json.dumps(answer))
"""


def doctor() -> Report:
    """Say what is installed and whether it works; exits with 1 where something is broken."""
    torch = _torch()
    models = _models()
    payload: dict[str, Any] = {
        "napari_mrsynth": napari_mrsynth.__version__,
        "installed_in": Path(napari_mrsynth.__file__).parent,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "torch": torch,
        "qt": _qt(),
        "display": os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or None,
        "manifest": _manifest(),
        "models": models,
        "caches": _caches(),
    }
    payload["problems"] = _problems(payload)
    payload["notes"] = _notes(payload)
    return Report(payload, _text(payload), 1 if payload["problems"] else 0)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", TORCH_QUESTION], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": "torch did not answer within two minutes"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _qt() -> str | None:
    """Return the Qt binding that would be used, by qtpy's order; its own code is not run."""
    chosen = os.environ.get("QT_API", "")
    bindings = ("PyQt5", "PySide2", "PyQt6", "PySide6")
    order = sorted(bindings, key=lambda name: name.lower() != chosen.lower())
    return next((f"{name} {_version(name)}" for name in order if importlib.util.find_spec(name)), None)


def _manifest() -> str | None:
    """Return the plugin manifest that napari will find, or None."""
    for point in importlib.metadata.entry_points(group="napari.manifest"):
        if point.name == "napari-mrsynth":
            manifest = Path(napari_mrsynth.__file__).parent / point.attr
            return str(manifest) if manifest.is_file() else None
    return None


def _models() -> dict[str, list[str]]:
    from napari_mrsynth.bundles import BundleStore

    store = BundleStore()
    found = {card.id: store.verify(card.id) for card in store.cards()}
    return {**found, **{str(problem.folder): [problem.message] for problem in store.problems}}


def _caches() -> dict[str, int | None]:
    """Return the folders this project writes to by itself, and their bytes."""
    from platformdirs import user_data_path

    from napari_mrsynth.samples import cache_folder

    folders = [cache_folder(), user_data_path("napari-mrsynth", appauthor=False)]
    return {
        str(folder): sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        if folder.is_dir()
        else None
        for folder in folders
    }


def _problems(found: Mapping[str, Any]) -> list[str]:
    problems = [f"torch does not work: {found['torch']['error']}"] if "error" in found["torch"] else []
    if found["manifest"] is None:
        problems.append(
            "napari will not find the plugin: its manifest is missing; install the package again."
        )
    if not found["models"]:
        problems.append("There is no model; install the package again.")
    problems += [f"Model {name}: {'; '.join(bad)}" for name, bad in found["models"].items() if bad]
    return problems


def _notes(found: Mapping[str, Any]) -> list[str]:
    """Say what the window lacks here; the command line works without."""
    notes = []
    if found["qt"] is None:
        notes.append('There is no Qt binding for the window: pip install "napari-mrsynth[pyqt6]".')
    if not has_display():
        notes.append("There is no display for the window.")
    return notes


def _text(found: Mapping[str, Any]) -> str:
    torch = found["torch"]
    device = ", ".join(torch.get("gpus") or (["Apple GPU"] if torch.get("mps") else [])) or "no GPU"
    head = {
        "napari-mrsynth": f"{found['napari_mrsynth']} in {found['installed_in']}",
        "Python": f"{found['python']} on {found['system']}, {found['processors']} processors",
        "torch": torch.get("error") or f"{torch['version']}, {torch['threads']} threads, {device}",
        "Qt": found["qt"] or "none",
        "display": found["display"] or "none",
        "manifest": found["manifest"] or "not found",
    }
    for name, bad in found["models"].items():
        head[f"model {name}"] = "; ".join(bad) or "sound"
    for folder, size in found["caches"].items():
        head[f"cache {folder}"] = "not there" if size is None else f"{size / 1e6:.1f} MB"
    versions = {name: version for name, version in found["packages"].items() if version}
    lines = [pairs(head), "", pairs(versions), ""]
    lines += [f"Note: {note}" for note in found["notes"]]
    lines += [f"Problem: {problem}" for problem in found["problems"]] or ["Nothing is wrong."]
    return "\n".join(lines)
