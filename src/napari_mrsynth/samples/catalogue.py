"""The sample patients there are: what each shows, what it costs to open, and whom to thank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_mrsynth.samples.brain import simulate_brain
from napari_mrsynth.samples.patient import fetch_ms_patient
from napari_mrsynth.samples.steps import Steps, finish

if TYPE_CHECKING:
    from napari_mrsynth.io import PatientFiles


@dataclass(frozen=True)
class Sample:
    """A sample patient.

    Attributes
    ----------
    id : str
        Its name on the command line.
    title : str
        Its name in menus.
    description : str
        What it is, one sentence.
    contrasts : tuple of str
        Which contrasts it has; `simulated` are those that no scanner saw.
    simulated : tuple of str
    download_mb : float
        What is fetched the first time; 0 where it works offline.
    licence, citation : str
    steps : callable
        Starts making or fetching it: a generator of progress that returns the patient.
    """

    id: str
    title: str
    description: str
    contrasts: tuple[str, ...]
    simulated: tuple[str, ...]
    download_mb: float
    licence: str
    citation: str
    steps: Callable[[], Steps[PatientFiles]] = field(repr=False, compare=False)

    @property
    def works_offline(self) -> bool:
        """Whether it needs no network."""
        return self.download_mb == 0

    def load(self) -> PatientFiles:
        """Make or fetch the patient, without showing progress.

        Raises
        ------
        SampleError
            If it cannot be made or fetched.
        """
        return finish(self.steps())


_TEMPLATE_LICENCE = (
    "ICBM 152 template, copyright 1993-2009 Louis Collins, McGill University: free to use, copy, modify and "
    "distribute with this notice"
)
_TEMPLATE_CITATION = "Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033"


def catalogue() -> tuple[Sample, ...]:
    """Return the sample patients, the one that works everywhere first."""
    return (
        Sample(
            "digital-brain",
            "Digital brain",
            "The ICBM 152 template brain; its T2w, FLAIR and PDw are simulated from tissue maps.",
            ("T1w", "T2w", "FLAIR", "PDw"),
            ("T2w", "FLAIR", "PDw"),
            0,
            _TEMPLATE_LICENCE,
            _TEMPLATE_CITATION,
            simulate_brain,
        ),
        Sample(
            "digital-brain-lesion",
            "Digital brain with a lesion",
            "The digital brain with a made-up right frontal glioma and its oedema, labels included.",
            ("T1w", "T2w", "FLAIR", "PDw"),
            ("T2w", "FLAIR", "PDw"),
            0,
            _TEMPLATE_LICENCE,
            _TEMPLATE_CITATION,
            lambda: simulate_brain(lesion=True),
        ),
        Sample(
            "ms-patient",
            "Multiple sclerosis patient",
            "A real patient of the University of Ljubljana: four contrasts and the raters' lesions.",
            ("T1w", "T1ce", "T2w", "FLAIR"),
            (),
            16,
            "CC BY",
            "Lesjak et al. 2018, doi:10.1007/s12021-017-9348-7",
            fetch_ms_patient,
        ),
    )
