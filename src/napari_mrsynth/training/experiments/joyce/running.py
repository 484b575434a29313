"""Run the arms of an experiment, each volume once: what an earlier run has scored is not made again."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.experiments.joyce.experiment import Experiment, Line
from napari_mrsynth.training.experiments.ledger import Ledger, Row
from napari_mrsynth.training.experiments.plan import SCORING, Settings
from napari_mrsynth.training.experiments.scoring import score_rows, unscored
from napari_mrsynth.training.experiments.summary import Table
from napari_mrsynth.training.experiments.telling import Teller


@dataclass(frozen=True)
class Outcome:
    """What an experiment left behind.

    Attributes
    ----------
    rows : tuple of Row
        Every scored region of what the experiment asks for.
    """

    rows: tuple[Row, ...]

    def table(self, line: Line) -> Table:
        """Return the rows that a line shows."""
        return Table(row for row in self.rows if row.part.startswith(line.part))


def run(experiment: Experiment, settings: Settings, report: ProgressCallback | None = None) -> Outcome:
    """Make and score everything that an earlier run in the same folder has not scored yet.

    Parameters
    ----------
    experiment : Experiment
    settings : Settings
        Whose `folder` the rows are kept in.
    report : callable, optional
        Told the progress.

    Raises
    ------
    InputError
        If a made volume is of no use.
    ConfigError
        If another experiment runs in the folder.
    """
    asked = [(part, arm) for part in experiment.parts for arm in experiment.arms if arm.where(part)]
    origins = {
        (part.name, arm.method): {
            "scoring": SCORING,
            "learn": {patient.subject: patient.record()["sha256"] for patient in part.learn},
            "judge": {patient.subject: patient.record()["sha256"] for patient in part.judge},
            "every": part.every,
            **arm.maker.origin(part, arm.pairs),
        }
        for part, arm in asked
    }
    with Ledger.alone(settings.folder, origins) as ledger:
        todo = {}
        for part, arm in asked:
            missing = {pair: unscored(ledger, part, arm.method, pair) for pair in arm.pairs}
            todo[part.name, arm.method] = {pair: patients for pair, patients in missing.items() if patients}
        tell = Teller(report, sum(len(patients) for wanted in todo.values() for patients in wanted.values()))
        for part, arm in asked:
            wanted = todo[part.name, arm.method]
            if not wanted:
                continue
            for patient, pair, made in arm.maker.make(part, wanted, tell):
                ledger.add(score_rows(part, patient, arm.method, pair, made, rescaled=False))
                tell(f"{part.name}, {patient.subject}: {pair[1]} from {', '.join(pair[0])} by {arm.method}")
        judged = {(part.name, patient.subject, arm.method) for part, arm in asked for patient in part.judge}
        kept = tuple(row for row in ledger.rows if (row.part, row.patient, row.method) in judged)
        return Outcome(kept)
