"""What the user has chosen and what is running: a view-model without Qt and without napari."""

from napari_mrsynth.session.choices import Choices
from napari_mrsynth.session.job import Cancelled, Executor, Failed, ImmediateExecutor, Job, Ok, Outcome
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.rows import Chip, ContrastRow, Fit, MakeRow, Need
from napari_mrsynth.session.session import SynthesisSession
from napari_mrsynth.session.status import State, Status

__all__ = [
    "Cancelled",
    "Chip",
    "Choices",
    "ContrastRow",
    "Executor",
    "Failed",
    "Fit",
    "ImmediateExecutor",
    "Job",
    "MakeRow",
    "Need",
    "Ok",
    "Outcome",
    "Parts",
    "State",
    "Status",
    "SynthesisSession",
]
