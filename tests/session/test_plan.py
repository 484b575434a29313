"""What a plan makes of a study, the user's decisions and the installed models."""

from __future__ import annotations

import pytest

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.session import Choices
from napari_mrsynth.session.plan import Plan
from phantoms import brain_study
from session.fakes import FakeStore, card

COMPLETE = ("T1w", "T1ce", "T2w", "FLAIR")


def planned(contrasts=COMPLETE, *cards, **choices) -> Plan:
    return Plan(FakeStore(*cards), brain_study(contrasts), Choices(**choices))


def test_without_a_study_nothing_is_planned():
    plan = Plan(FakeStore(), None, Choices(wanted=frozenset({"FLAIR"})))
    assert plan.inputs == plan.wanted == plan.make_rows == ()
    assert plan.offered == COMPLETE


def test_what_was_ticked_for_another_patient_is_not_carried_over():
    plan = planned(("T1w", "T2w", "FLAIR"), wanted=frozenset({"FLAIR"}))
    assert plan.opening(plan.study, "").choices.wanted == {"T1ce"}


def test_the_only_input_is_never_switched_off_to_be_made():
    narrow = card("narrow", outputs=("T1w",))
    plan = planned(("T1w",), narrow)
    opened = plan.opening(plan.study, "T1w")
    assert opened.inputs == ("T1w",)
    assert opened.wanted == ()


def test_a_decision_leaves_the_plan_it_was_taken_on_as_it_was():
    plan = planned()
    after = plan.switching(plan.study, "FLAIR", False)
    assert after.wanted == ("FLAIR",)
    assert after.inputs == ("T1w", "T1ce", "T2w")
    assert plan.wanted == ()
    assert plan.inputs == COMPLETE


def test_switching_to_what_is_so_already_is_no_other_plan():
    plan = planned()
    assert plan.switching(plan.study, "FLAIR", True) is plan


def test_a_contrast_that_is_not_there_cannot_be_switched():
    plan = planned(("T1w", "T2w"))
    with pytest.raises(ContrastError, match="no FLAIR here, only T1w, T2w"):
        plan.switching(plan.study, "FLAIR", True)


def test_a_name_that_was_wrong_is_missing_after_its_correction():
    plan = planned(("T1w", "T2w"), wanted=frozenset({"FLAIR"}))
    after = plan.renaming(plan.study, "T2w", "FLAIR")
    assert after.inputs == ("T1w", "FLAIR")
    assert after.choices.wanted == {"T2w"}


def test_without_a_model_that_can_the_first_one_says_why_not():
    plan = planned(("T1w",), card("flair", outputs=("FLAIR",)), card("t2", outputs=("T2w",)))
    cannot = plan.choosing(wanted=frozenset({"FLAIR", "T2w"}))
    assert cannot.card.id == "flair"
    assert cannot.choosing(bundle="t2").card.id == "t2"
    assert cannot.choosing(bundle="gone").card is None
