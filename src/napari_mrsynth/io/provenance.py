"""The JSON file beside every synthetic scan: how it was made, and how it is recognised again.

``FLAIR.nii.gz`` has ``FLAIR.json`` beside it, as in BIDS. Ours carries ``"Synthetic": true`` and the name of
its image; a sidecar without that word belongs to an acquired scan and is never overwritten. ``FLAIR.mgz``
would have the same sidecar: while the image that is named in it lies there, it says nothing about any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth import __version__
from napari_mrsynth.errors import OutputError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.naming import EXTENSIONS, stem_of

MARK = "SYNTHETIC"
DESCRIPTION_BYTES = 79
WARNING = "Made by a model, not acquired. For research, not for diagnosis."


def sidecar_path(path: Path) -> Path:
    """Return the JSON file that belongs to an image file."""
    return path.with_name(f"{stem_of(path)}.json")


def description(what: str, provenance: Mapping[str, Any]) -> str:
    """Return the free text of a synthetic file's header: ``SYNTHETIC FLAIR, mrsynth 0.1.0, BUNDLE``.

    At most 79 bytes, what NIfTI has room for.
    """
    bundle = provenance.get("bundle")
    model = bundle.get("id") if isinstance(bundle, Mapping) else bundle
    parts = [f"{MARK} {what}".strip(), f"mrsynth {__version__}", *([str(model)] if model else [])]
    return ", ".join(parts).encode("ascii", "replace")[:DESCRIPTION_BYTES].decode("ascii")


def read_sidecar(path: Path) -> Mapping[str, Any]:
    """Return the JSON object beside an image, empty where there is none, or none of its own or readable."""
    try:
        content = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    named = content.get("File") if content.get("Synthetic") is True else None
    return {} if named is not None and named in [twin.name for twin in twins_of(path)] else content


def twins_of(path: Path) -> list[Path]:
    """Return the other images that would have an image's sidecar: ``FLAIR.mgz`` beside ``FLAIR.nii.gz``."""
    beside = (path.with_name(stem_of(path) + extension) for extension in EXTENSIONS)
    return [other for other in beside if other.name != path.name and other.is_file()]


def recognise(path: Path, header_text: str = "") -> Mapping[str, Any] | None:
    """Return the provenance of a synthetic file, None for an acquired one.

    Any mark is enough: the sidecar's ``Synthetic``, a header text that begins with ``SYNTHETIC``, or
    ``desc-synthetic`` in the name (where the sidecar is lost, the provenance is what is left).
    """
    sidecar = read_sidecar(path)
    if sidecar.get("Synthetic") is True:
        provenance = sidecar.get("Provenance")
        return provenance if isinstance(provenance, dict) else {}
    if header_text.startswith(MARK):
        return {"description": header_text}
    if "desc-synthetic" in path.name:
        return {"description": path.name}
    return None


def write_sidecar(path: Path, what: str, provenance: Mapping[str, Any]) -> Path:
    """Write the JSON file beside a synthetic image and return its path.

    Parameters
    ----------
    path : Path
        The image.
    what : str
        Its contrast, or what else it shows.
    provenance : mapping
        How it was made; numbers, text, lists, mappings, paths, arrays and dataclasses.

    Raises
    ------
    OutputError
        If the sidecar of an acquired scan is in the way, the provenance cannot be written as JSON, or the
        disk refuses.
    """
    target = sidecar_path(path)
    refuse_foreign_sidecar(path)
    content = {
        "Description": f"Synthetic {what}".strip() + f". {WARNING}",
        "Synthetic": True,
        "File": path.name,
        "GeneratedBy": [{"Name": "napari-mrsynth", "Version": __version__}],
        "Provenance": provenance,
    }
    try:
        text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OutputError(f"The provenance of “{path.name}” cannot be written as JSON: {error}.") from error
    with replacing(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return target


def refuse_foreign_sidecar(path: Path) -> None:
    """Refuse to replace a sidecar that is not ours.

    Raises
    ------
    OutputError
        Quoting it.
    """
    target = sidecar_path(path)
    if target.exists() and read_sidecar(path).get("Synthetic") is not True:
        raise OutputError(
            f"“{target}” belongs to another scan and would be overwritten.",
            hint="Choose another name or folder.",
        )


def remove_stale_sidecar(path: Path, *, replaced: bool) -> None:
    """Delete our sidecar of an earlier synthetic file where an acquired scan now takes its name.

    Where it may be of another image that lies there (it names none, as in earlier versions, or the scan did
    not take the place of a file: `replaced`), it is kept and names that image.
    """
    sidecar = read_sidecar(path)
    if sidecar.get("Synthetic") is not True:
        return
    twins = twins_of(path)
    if not twins or (replaced and "File" in sidecar):
        sidecar_path(path).unlink(missing_ok=True)
        return
    text = json.dumps({**sidecar, "File": twins[0].name}, indent=2, ensure_ascii=False)
    with replacing(sidecar_path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Turn what provenance may hold into what JSON may hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (set, frozenset)):
        return [_plain(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
