"""A fine-tuned model becomes a bundle whose card names its parent, its patients by hash, and what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Card, save_bundle
from napari_mrsynth.training.adapt import Pace
from napari_mrsynth.training.aside import Aside
from napari_mrsynth.training.export import stored_state
from napari_mrsynth.training.transfer import Addition, Transfer


@dataclass(frozen=True)
class Child:
    """A network that went on learning from a parent's.

    Attributes
    ----------
    parent : Card
    transfer : Transfer
        With the network that learnt.
    pace : Pace
    aside : Aside
        Who was learnt from, and what was kept aside.
    additions : tuple of Addition
        What the network reads or makes beside the parent's.
    errors : mapping of str to (float, float)
        ``T1w+T2w>FLAIR`` -> normalised mean squared error on what was kept aside, before and after.
    unlearnt : tuple of str
        What it makes that not every patient had: neither learnt nor measured.
    """

    parent: Card
    transfer: Transfer
    pace: Pace
    aside: Aside
    additions: tuple[Addition, ...]
    errors: Mapping[str, tuple[float, float]]
    unlearnt: tuple[str, ...] = ()

    def save(self, out: Path | None, bundle_id: str, parts: str) -> Path:
        """Write the bundle and return its folder.

        Parameters
        ----------
        out : Path, optional
            Its folder; by default one in the user's models, named by its id.
        bundle_id : str
            Empty for one made from the parent and all that was learnt.
        parts : str
            What learnt, where nothing was added.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        added = (*self.transfer.added_inputs, *self.transfer.added_outputs)
        learnt = f"{', '.join(added)} added" if added else f"{parts} fine-tuned"
        records = [patient.nameless() for patient in self.aside.learn]
        state, dtype = stored_state(self.transfer.network)
        bundle_id = bundle_id or f"{self.parent.id}-{self._digest(learnt)}"
        count = f"{len(records)} patient{'s' if len(records) > 1 else ''}"
        card = replace(
            self.parent,
            id=bundle_id,
            title=f"{bundle_id}: {learnt} on {count}, from {self.parent.id}",  # lists cut off its end
            network=dict(self.transfer.spec),
            inputs=self.transfer.network.inputs,
            outputs=self.transfer.network.outputs,
            weights_sha256="",
            parameters=0,
            training=self._training(learnt, records, dtype),
            results=self._results(),
            limits=" ".join(filter(None, (self.parent.limits, self.caution))),
            data_licences=(
                *self.parent.data_licences,
                "Patients given by the user, known by their hashes only.",
            ),
        )
        folder = out or user_models() / bundle_id
        save_bundle(folder, card, state)
        return folder

    @property
    def caution(self) -> str:
        """What is said of outputs that were not learnt; empty where there are none."""
        if not self.unlearnt:
            return ""
        names = ", ".join(self.unlearnt)
        return (
            f"{names} took no part in the fine-tuning, for not every patient had it: how well it is made now "
            f"was not measured. {self.parent.id} still makes it as before."
        )

    def _digest(self, learnt: str) -> str:
        """Return eight digits that no other fine-tuning of the parent has, be it of the same scans."""
        seen = [
            (patient.nameless(), hashlib.sha256(np.packbits(patient.mask).tobytes()).hexdigest())
            for patient in (*self.aside.learn, self.aside.judge)
        ]
        made_of = (self.parent.weights_sha256, learnt, self.additions, seen, self.pace)
        return hashlib.sha256(repr(made_of).encode()).hexdigest()[:8]

    def _training(self, learnt: str, records: list[dict[str, Any]], dtype: str) -> dict[str, Any]:
        return {
            "software": f"napari-mrsynth {__version__}",
            "parent": {"id": self.parent.id, "weights_sha256": self.parent.weights_sha256},
            "learnt": learnt,
            "seed": self.pace.seed,
            "steps": self.pace.steps,
            "batch": self.pace.batch,
            "weights_dtype": dtype,
            "kept_aside": [self.aside.judge.nameless()],
            "subjects": [*self.parent.training.get("subjects", ()), *records],
        }

    def _results(self) -> dict[str, Any]:
        measured_on = (
            "slices kept aside of the one patient who was learnt from, which says little about other patients"
            if self.aside.by_slices
            else "one patient kept aside"
        )
        return {
            "how": f"Normalised mean squared error over the brain before and after, on {measured_on}.",
            "fine-tuning": {
                name: {"before": round(before, 5), "after": round(after, 5)}
                for name, (before, after) in self.errors.items()
            },
        }


def user_models() -> Path:
    """Return the folder of the user's own models."""
    from platformdirs import user_data_path

    return user_data_path("napari-mrsynth", appauthor=False) / "models"
