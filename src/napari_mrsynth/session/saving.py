"""Saving what was made: where its files go, not over what is there, and each with its provenance."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_mrsynth.errors import OutputError
from napari_mrsynth.progress import Progress, Stopwatch
from napari_mrsynth.session.outputs import Output
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.status import State, Status


@dataclass(eq=False)
class Writing:
    """Images on their way into files.

    Attributes
    ----------
    outputs : mapping of str to Output
    files : mapping of str to Path
        Where each of them goes.
    written : list of str
        The names of those that are there.
    current : str or None
        The one that is being written now; once begun it is finished, also where the work is cancelled.
    """

    outputs: Mapping[str, Output]
    files: Mapping[str, Path]
    written: list[str] = field(default_factory=list)
    current: str | None = None


def targets(parts: Parts, patient: str, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return where the images of these names would be saved."""
    return {name: folder / parts.file_name(patient, name) for name in names}


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


def saving(parts: Parts, writing: Writing) -> Generator[Progress, None, tuple[Path, ...]]:
    """Write images one by one, each with its provenance, and keep `writing` up to date."""
    clock = Stopwatch()
    paths = []
    for count, (name, path) in enumerate(writing.files.items()):
        yield clock.at(count / len(writing.files), f"Writing {path.name}")
        writing.current = name
        output = writing.outputs[name]
        paths.append(parts.write(path, output.image, output.provenance))
        writing.written.append(name)
        writing.current = None
    return tuple(paths)


def saved_status(paths: tuple[Path, ...]) -> Status:
    """Say what was saved and where."""
    names = ", ".join(path.name for path in paths)
    return Status(State.DONE, f"Saved {names}.", f"In {paths[0].parent}")


def written_so_far(writing: Writing) -> str:
    """Say which files are there, or will be, where saving is cancelled now."""
    current, done = writing.current, [writing.files[name].name for name in writing.written]
    said = f"{', '.join(done)} had been written." if done else "No file had been written."
    if current is None or current in writing.written:
        return said
    return f"{said} {writing.files[current].name} is still being finished."
