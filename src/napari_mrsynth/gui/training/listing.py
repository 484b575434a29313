"""Who is listed for fine-tuning: folders the user gave, and copies of patients that were open."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_mrsynth.errors import InputError
from napari_mrsynth.gui.training.patients import Patient, refuse_session_of
from napari_mrsynth.io.naming import told_apart


class Scratch:
    """A temporary folder, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """Where it is."""
        self._made = self._made or tempfile.TemporaryDirectory(prefix="mrsynth-patients-")
        return Path(self._made.name)

    def holds(self, path: Path) -> bool:
        """Whether a path lies in it."""
        return self._made is not None and path.is_relative_to(self._made.name)

    def remove(self) -> None:
        """Delete it with all that it holds."""
        if self._made is not None:
            self._made.cleanup()
            self._made = None


class Listing:
    """Patients for fine-tuning, each a different person, told apart by name.

    Parameters
    ----------
    scratch : Scratch
        Where patients that were open are copied to.

    Attributes
    ----------
    patients : tuple of Patient
    """

    def __init__(self, scratch: Scratch) -> None:
        self.patients: tuple[Patient, ...] = ()
        self._scratch = scratch

    def refuse_listed(self, folders: Sequence[Path]) -> None:
        """Refuse folders that cannot be listed beside who is.

        Raises
        ------
        InputError
            If one is listed already, or is a session of a patient who was taken from the Synthesis dock:
            a patient given twice would judge what was learnt from them.
        """
        known = {patient.folder.resolve() for patient in self.patients}
        again = [folder.name for folder in folders if folder.resolve() in known]
        if again:
            raise InputError(f"{', '.join(again)} is listed already.", hint="Give each patient once.")
        taken = [patient for patient in self.patients if self._scratch.holds(patient.folder)]
        for folder in folders:
            refuse_session_of(folder, taken)

    def room_for(self, name: str) -> Path:
        """Return a new folder for a copy of the open patient of that name.

        Raises
        ------
        InputError
            If the patient, or another session of the same person, is listed.
        """
        if any(patient.id == name for patient in self.patients):
            raise InputError(f"{name} is listed already.", hint="Open another patient, or add a folder.")
        called = re.sub(r"[^\w. -]+", "_", name).strip(". ") or "patient"
        own = Path(tempfile.mkdtemp(dir=self._scratch.folder))  # nothing of an earlier patient is in it
        folder = own / called
        refuse_session_of(folder, self.patients)
        return folder

    def add(self, found: Sequence[Patient]) -> None:
        """List patients; folders that are called alike are told apart, as a fine-tuning's words do."""
        everyone = (*self.patients, *found)
        names = told_apart([patient.folder for patient in everyone])
        self.patients = tuple(
            patient if self._scratch.holds(patient.folder) else replace(patient, id=name)
            for patient, name in zip(everyone, names, strict=True)
        )

    def remove(self, name: str) -> None:
        """Take a patient off the list."""
        self.patients = tuple(patient for patient in self.patients if patient.id != name)
