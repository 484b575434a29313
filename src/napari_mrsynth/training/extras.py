"""What an optional part of the project needs beside it, asked for before it is used."""

from __future__ import annotations

from importlib.util import find_spec

from napari_mrsynth.errors import ConfigError

_NEEDS = {
    "train": ("lightning", "matplotlib", "tensorboard", "torchio"),
    "onnx": ("onnx", "onnxscript"),
    "monai": ("monai",),
}


def require(what: str) -> None:
    """Refuse to begin what the installed packages do not suffice for.

    Parameters
    ----------
    what : ``train``, ``onnx`` or ``monai``

    Raises
    ------
    ConfigError
        Naming the packages that are missing and how to get them.
    """
    missing = [package for package in _NEEDS[what] if find_spec(package) is None]
    if missing:
        extra = "train" if what == "train" else "export"
        raise ConfigError(
            f"This needs {', '.join(missing)}, which is not installed.",
            hint=f'pip install "napari-mrsynth[{extra}]"',
        )
