"""What the next synthesis would be: a study, the user's choices, and what the installed models can do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import ContrastError, MrsynthError
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.session.choices import Choices
from napari_mrsynth.session.edit import renamed
from napari_mrsynth.session.rows import MakeRow, in_field_order, make_rows

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore, Card
    from napari_mrsynth.synthesis import Request


@dataclass(frozen=True, eq=False)
class Plan:
    """What would be made of what, with which model.

    A value: whatever the user decides gives another plan, so that the study and what is to be made of it
    change together.

    Attributes
    ----------
    store : BundleStore
        The installed models.
    study : Study or None
        The patient that is open.
    choices : Choices
        What has been chosen; its `wanted` may hold contrasts that cannot be made now.
    """

    store: BundleStore
    study: Study | None
    choices: Choices

    # ------------------------------------------------------------------ what follows

    @property
    def inputs(self) -> tuple[str, ...]:
        """The contrasts that are switched on."""
        return self.study.inputs if self.study else ()

    @property
    def offered(self) -> tuple[str, ...]:
        """The contrasts that the chosen model (or, when automatic, any model) can make."""
        cards = self.store.synthesisers()
        if self.choices.bundle != "auto":
            cards = [card for card in cards if card.id == self.choices.bundle]
        return in_field_order({contrast for card in cards for contrast in card.outputs})

    @property
    def make_rows(self) -> tuple[MakeRow, ...]:
        """What is offered, and whether it will be made."""
        return make_rows(self.study, self.offered, set(self.choices.wanted))

    @property
    def wanted(self) -> tuple[str, ...]:
        """The contrasts that would be made."""
        return tuple(row.contrast for row in self.make_rows if row.ticked)

    @property
    def card(self) -> Card | None:
        """The card of the model that would be used; None where there is none."""
        if self.choices.bundle != "auto":
            return next((c for c in self.store.synthesisers() if c.id == self.choices.bundle), None)
        try:
            return self.store.default(self.inputs, self.wanted)
        except MrsynthError:
            return next(iter(self.store.synthesisers()), None)

    @property
    def request(self) -> Request:
        """The plan as the engine and the command line know it."""
        from napari_mrsynth.synthesis import Request

        return Request(
            wanted=self.wanted,
            used=self.inputs,
            bundle=self.choices.bundle,
            device=self.choices.device,
            precision=self.choices.precision,
            source_map=self.choices.source_map,
        )

    # ------------------------------------------------------------------ what the user decides

    def choosing(self, **choices: Any) -> Plan:
        """Return the plan with other choices (attributes of :class:`Choices`)."""
        return replace(self, choices=replace(self.choices, **choices))

    def opening(self, study: Study, default: str) -> Plan:
        """Return the plan for a patient who has just been opened.

        What the patient lacks is ticked. Of a patient who lacks nothing, `default` is switched off and
        ticked, unless it is empty or the only input.
        """
        wanted = self._missing(study)
        study = self._usable(study)
        if not wanted and default in study.active and len(study.active) > 1:
            wanted, study = frozenset({default}), study.using(study.active - {default})
        return replace(self.choosing(wanted=wanted), study=study)

    def renaming(self, study: Study, old: str, new: str) -> Plan:
        """Return the plan after the contrast `old` was given its right name, `new`, as canonically written.

        A contrast that was unknown is switched on; `new` need not be made any more, and `old` may be.

        Raises
        ------
        ContrastError
            If there is no `old`, `new` is empty, or another scan already has that name.
        """
        changed = renamed(study, old, new)
        if study.members[old].native.confidence == 0:
            changed = changed.using(changed.active | {new})
        wanted = (self.choices.wanted - {new}) | (self._missing(changed) & {old})
        return replace(self.choosing(wanted=wanted), study=changed)

    def switching(self, study: Study, contrast: str, on: bool) -> Plan:
        """Return the plan after an input was switched on or off.

        The first contrast switched off while nothing is to be made is ticked for making: that is then
        the only thing switching it off can be for.

        Raises
        ------
        ContrastError
            If `study` has no such contrast.
        """
        if contrast not in study.members:
            raise ContrastError(f"There is no {contrast} here, only {', '.join(study.members)}.")
        if (contrast in study.active) == on:
            return self
        switched = study.using(study.active | {contrast} if on else study.active - {contrast})
        plan = replace(self, study=switched)
        if on:
            return plan.choosing(wanted=self.choices.wanted - {contrast})
        if not plan.wanted and contrast in plan.offered:
            return plan.choosing(wanted=self.choices.wanted | {contrast})
        return plan

    # ------------------------------------------------------------------ inside

    def _missing(self, study: Study) -> frozenset[str]:
        return frozenset(contrast for contrast in self.offered if contrast not in study.members)

    def _usable(self, study: Study) -> Study:
        """Switch off, and note, what no model takes as an input; all stays on if nothing would be left."""
        taken = {contrast for card in self.store.synthesisers() for contrast in card.inputs}
        kept, others = study.active & taken, study.active - taken
        if not kept or not others:
            return study
        note = f"{', '.join(in_field_order(others))} switched off: no model here takes it as an input."
        return replace(study.using(kept), notes=(*study.notes, note))
