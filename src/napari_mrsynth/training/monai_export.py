"""A bundle as a MONAI bundle: metadata, an inference configuration, weights, and our own bundle within."""

from __future__ import annotations

import io
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import BundleError
from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.training.extras import require
from napari_mrsynth.training.newfolder import new_folder

_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)


def write_monai(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle in MONAI's layout.

    Parameters
    ----------
    bundle : Bundle
        Of the any-subset system.
    folder : Path
        Gets ``configs/metadata.json``, ``configs/inference.json``, ``models/model.pt`` (float32 tensors),
        ``models/mrsynth`` (the bundle itself), ``docs/README.md`` and ``LICENSE``.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    BundleError
        If the bundle is of another system.
    ConfigError
        If MONAI is not installed.
    OutputError
        If the folder cannot be written, or holds something.
    """
    require("monai")
    if bundle.card.system != "anysubset":
        raise BundleError(
            f"The system {bundle.card.system!r} cannot be written for MONAI.",
            hint="The system anysubset can.",
        )
    params = {name: value for name, value in bundle.card.network.items() if name != "name"}
    network = build_as(bundle.card.network, AnySubsetNetwork)
    network.load_state_dict(bundle.state())
    with new_folder(folder) as fresh:
        for name in ("configs", "models", "docs"):
            (fresh / name).mkdir()
        buffer = io.BytesIO()  # torch says of a full disk what nobody understands; Python says it plainly
        torch.save(network.state_dict(), buffer)
        (fresh / "models" / "model.pt").write_bytes(buffer.getvalue())
        shutil.copytree(bundle.folder, fresh / "models" / "mrsynth")
        _json(fresh / "configs" / "metadata.json", _metadata(bundle, network))
        _json(fresh / "configs" / "inference.json", _inference(bundle, type(network), params))
        shutil.copy(bundle.folder / "README.md", fresh / "docs" / "README.md")
        (fresh / "LICENSE").write_text(f"{bundle.card.licence}\n", encoding="utf-8")
    return folder


def _inference(bundle: Bundle, kind: type[AnySubsetNetwork], params: dict[str, Any]) -> dict[str, Any]:
    card = bundle.card
    return {
        "imports": ["$import pathlib", "$import torch", "$import napari_mrsynth.cli as mrsynth"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "checkpoint": "$str(pathlib.Path(@bundle_root) / 'models' / 'model.pt')",
        "network_def": {"_target_": f"{kind.__module__}.{kind.__name__}", **params},
        "network": "$@network_def.to(@device).eval()",
        "patient": "patient",
        "want": card.outputs[-1],
        "output_dir": "$str(pathlib.Path(@bundle_root) / 'eval')",
        "mrsynth_bundle": "$str(pathlib.Path(@bundle_root) / 'models' / 'mrsynth')",
        "initialize": ["$@network.load_state_dict(torch.load(@checkpoint, @device, weights_only=True))"],
        "run": [
            "$mrsynth.main(['synthesize', @patient, '--want', @want, '--bundle', @mrsynth_bundle, "
            "'--out', @output_dir])"
        ],
    }


def _metadata(bundle: Bundle, network: AnySubsetNetwork) -> dict[str, Any]:
    card = bundle.card
    planes = 1 + 2 * card.neighbours
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "spatial_shape": [f"{network.multiple}*n", f"{network.multiple}*n"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
    }
    planes_named = {str(place): f"axial slice {place - card.neighbours:+d}" for place in range(planes)}
    return {
        "schema": _SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": f"written by napari-mrsynth {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"napari-mrsynth": __version__},
        "name": card.title,
        "task": "synthesis of missing MRI contrasts",
        "description": card.summary,
        "authors": "as on the card",
        "copyright": card.licence,
        "data_source": "; ".join(card.data_licences),
        "data_type": "nifti",
        "intended_use": card.intended_use,
        "references": [card.citation] if card.citation else [],
        "network_data_format": {
            "inputs": {
                name: {**image, "num_channels": planes, "channel_def": planes_named} for name in card.inputs
            },
            "outputs": {
                "pred": {
                    **image,
                    "num_channels": len(card.outputs),
                    "channel_def": {str(place): name for place, name in enumerate(card.outputs)},
                }
            },
        },
    }


def _json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False), encoding="utf-8")
