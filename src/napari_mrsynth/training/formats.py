"""A bundle in other people's formats."""

from __future__ import annotations

from pathlib import Path

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError

FORMATS = ("bundle", "monai", "onnx")
"""What :command:`mrsynth export` can write."""


def require_format(form: str) -> None:
    """Refuse a format that is not known.

    Raises
    ------
    ConfigError
        Naming those that are.
    """
    if form not in FORMATS:
        raise ConfigError(f"There is no format {form!r}.", hint=f"Choose {', '.join(FORMATS)}.")


def convert(bundle: Bundle, form: str, folder: Path) -> Path:
    """Write a bundle as ``monai`` or ``onnx`` (errors as for the writers of the two)."""
    if form == "onnx":
        from napari_mrsynth.training.onnx_export import write_onnx

        return write_onnx(bundle, folder)
    from napari_mrsynth.training.monai_export import write_monai

    return write_monai(bundle, folder)
