"""Saving a result: where its files go, not over what is there, and each with its provenance."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.errors import OutputError
from napari_mrsynth.io.naming import SOURCE_MAP
from napari_mrsynth.progress import Progress, Stopwatch
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.imaging.volume import LabelVolume, Volume
    from napari_mrsynth.synthesis import Result


def targets(parts: Parts, patient: str, result: Result, folder: Path) -> dict[str, Path]:
    """Return where each contrast of `result`, and the source map if there is one, would be saved."""
    return {name: folder / parts.file_name(patient, name) for name in _images(result)}


def refuse_to_overwrite(files: Mapping[str, Path], folder: Path) -> None:
    """Refuse to save where one of `files` exists.

    Raises
    ------
    OutputError
        Naming all of them that exist.
    """
    existing = [path.name for path in files.values() if path.exists()]
    if existing:
        raise OutputError(
            f"{', '.join(existing)} is already in {folder}.", hint="Choose another folder, or overwrite."
        )


def saving(
    parts: Parts, result: Result, files: Mapping[str, Path]
) -> Generator[Progress, None, tuple[Path, ...]]:
    """Write the outputs of `result`, each with its provenance, and the source map if there is one."""
    clock = Stopwatch()
    images = _images(result)
    written = []
    for count, (name, path) in enumerate(files.items()):
        yield clock.at(count / len(files), f"Writing {path.name}")
        written.append(parts.write(path, images[name], result.provenance.get(name)))
    return tuple(written)


def saved_status(paths: tuple[Path, ...]) -> Status:
    """Say what was saved and where."""
    names = ", ".join(path.name for path in paths)
    return Status(State.DONE, f"Saved {names}.", f"In {paths[0].parent}")


def _images(result: Result) -> dict[str, Volume | LabelVolume]:
    images: dict[str, Volume | LabelVolume] = dict(result.outputs)
    if result.source_map is not None:
        images[SOURCE_MAP] = result.source_map
    return images
