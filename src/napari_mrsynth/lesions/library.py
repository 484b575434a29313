"""A folder of lesion maps, as shapes to place into other brains."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from napari_mrsynth.errors import LabelError, MrsynthError
from napari_mrsynth.io.naming import extension_of, stem_of
from napari_mrsynth.lesions.classes import LabelSet
from napari_mrsynth.lesions.conform import conform
from napari_mrsynth.lesions.shape import LesionShape

KEPT = 16
"""How many shapes are kept in memory."""


class LesionLibrary:
    """The lesion maps below a folder, in the order of their names; each is read when it is asked for.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders.
    classes : LabelSet
        The disease whose classes the maps must have.

    Raises
    ------
    LabelError
        If the folder holds no file that is a lesion map of this disease, with the reasons.
    """

    def __init__(self, folder: Path, classes: LabelSet) -> None:
        self.folder, self.classes = folder.expanduser(), classes
        self.skipped: dict[str, str] = {}
        self._files = self._found()
        self._read = lru_cache(KEPT)(self._read_from_file)
        self._require_one()

    @property
    def every_name(self) -> tuple[str, ...]:
        """All maps, usable or not, sorted: what random draws choose from, so that they can be repeated."""
        return tuple(self._files)

    @property
    def names(self) -> tuple[str, ...]:
        """The maps that are not known to be unusable, sorted."""
        return tuple(name for name in self._files if name not in self.skipped)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each of :attr:`every_name`."""
        return tuple(self._files.values())

    def shape(self, name: str) -> LesionShape:
        """Read one map.

        Raises
        ------
        MrsynthError
            If there is none of that name, or it is not usable; it is then in `skipped` with the reason.
        """
        if name not in self._files:
            raise LabelError(
                f"There is no lesion “{name}” in {self.folder}.", hint=f"There are {len(self.names)} others."
            )
        try:
            return self._read(name)
        except MrsynthError as error:
            self.skipped[name] = error.message
            raise

    def _read_from_file(self, name: str) -> LesionShape:
        from napari_mrsynth.io import read_image

        return LesionShape.of(conform(read_image(self._files[name], kind="labels"), self.classes), name)

    def _found(self) -> dict[str, Path]:
        if not self.folder.is_dir():
            raise LabelError(f"“{self.folder}” is not a folder.", hint="Choose a folder of lesion maps.")
        files = [
            path
            for path in sorted(self.folder.rglob("*"))
            if extension_of(path) not in (None, ".dcm") and not path.name.startswith(".") and path.is_file()
        ]
        return {str(path.relative_to(self.folder).with_name(stem_of(path))): path for path in files}

    def _require_one(self) -> None:
        for name in self._files:
            try:
                self.shape(name)
            except MrsynthError:
                continue
            return
        reasons = "; ".join(f"{name}: {why}" for name, why in list(self.skipped.items())[:3])
        raise LabelError(
            f"“{self.folder}” holds no usable lesion map of {self.classes.title}"
            + (f" ({len(self.skipped)} looked at; {reasons})." if reasons else ": it has no image files."),
            hint=f"Choose a folder of label maps with {self.classes.described()}.",
        )
