"""Write a structural feature map as NIfTI, with a JSON file beside it that says how it was made.

A map of a real scan is derived, not synthetic, so its sidecar does not say ``"Synthetic": true``; a map of a
synthetic scan is marked like the scan.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_mrsynth import __version__
from napari_mrsynth.errors import OutputError
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.io import write_volume
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.naming import extension_of
from napari_mrsynth.io.provenance import read_sidecar, sidecar_path


def save_labels(path: str | Path, labels: LabelVolume, provenance: dict[str, Any]) -> Path:
    """Write a map, or the brain mask that goes with it.

    Parameters
    ----------
    path : path-like
        Ending in ``.nii.gz`` or ``.nii``; ``.nii.gz`` is added to a name without extension.
    labels : LabelVolume
        0/1, on the scan's own grid.
    provenance : dict
        Plain data.

    Returns
    -------
    Path
        The image that was written.

    Raises
    ------
    OutputError
        If a file would be replaced that is not an earlier map, or the disk refuses.
    """
    target = checked_target(path)
    if labels.source.synthetic is not None:
        return write_volume(target, labels, provenance=provenance)
    content = {
        "Description": f"{labels.name.capitalize()}. For research, not for diagnosis.",
        "GeneratedBy": [{"Name": "napari-mrsynth", "Version": __version__}],
        "Labels": {str(value): name for value, name in labels.labels.items()},
        "Provenance": provenance,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(sidecar_path(target)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
        return write_volume(target, labels)


def checked_target(path: str | Path) -> Path:
    """Refuse a name that is not NIfTI's, and to replace an image or a sidecar that is not an earlier map.

    Returns
    -------
    Path
        Where the image will be written: ``.nii.gz`` added to a name without extension.

    Raises
    ------
    OutputError
        Quoting the file.
    """
    target = Path(path).expanduser()
    if target.suffix == "":
        target = target.with_name(f"{target.name}.nii.gz")
    if extension_of(target) not in (".nii.gz", ".nii"):
        raise OutputError(
            f"“{target.name}” ends in {target.suffix}; maps are written as NIfTI.",
            hint="End the name in .nii.gz or .nii.",
        )
    if (target.exists() or sidecar_path(target).exists()) and not _is_ours(target):
        raise OutputError(
            f"“{target}” exists and is not a structural feature map; it would be replaced.",
            hint="Choose another name or folder.",
        )
    return target


def _is_ours(target: Path) -> bool:
    content = read_sidecar(target)
    provenance = content.get("Provenance")
    what = provenance.get("what", "") if isinstance(provenance, dict) else ""
    return str(what).startswith("structural feature map")
