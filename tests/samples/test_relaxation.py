"""The signal equations, against hand calculation and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_mrsynth.samples.relaxation import (
    FLUID,
    GREY,
    NECROSIS,
    OEDEMA,
    SEQUENCES,
    TUMOUR,
    WHITE,
    Sequence,
    Tissue,
    nulling_time,
)


def seen(sequence: Sequence, tissue: Tissue) -> float:
    arrays = (np.full(1, value, dtype=np.float32) for value in (tissue.t1_ms, tissue.t2_ms, tissue.water))
    return float(sequence.signal(*arrays)[0])


def test_spin_echo_gives_water_that_recovered_and_has_not_decayed() -> None:
    sequence = Sequence(tr_ms=1000, te_ms=50)
    expected = 0.8 * (1 - math.exp(-1000 / 900)) * math.exp(-50 / 80)
    assert seen(sequence, Tissue(900, 80, 0.8)) == pytest.approx(expected, rel=1e-5)


def test_inversion_recovery_is_negative_before_and_positive_after_the_nulling_time() -> None:
    null = nulling_time(FLUID.t1_ms, 9000)
    early, at, late = (
        seen(Sequence(tr_ms=9000, te_ms=120, ti_ms=ti), FLUID) for ti in (null - 400, null, null + 400)
    )
    assert early < -0.05
    assert at == pytest.approx(0, abs=1e-6)
    assert late > 0.05


def test_nulling_time_for_a_long_repetition_is_ln2_of_t1() -> None:
    assert nulling_time(1000.0, 1e6) == pytest.approx(1000 * math.log(2))


@pytest.mark.parametrize(
    ("contrast", "darkest_to_brightest"),
    [
        ("T2w", (WHITE, GREY, TUMOUR, NECROSIS, FLUID)),
        ("FLAIR", (FLUID, WHITE, GREY, OEDEMA)),
        ("PDw", (WHITE, GREY, OEDEMA)),
    ],
)
def test_tissues_are_ordered_as_in_the_clinic(
    contrast: str, darkest_to_brightest: tuple[Tissue, ...]
) -> None:
    signals = [abs(seen(SEQUENCES[contrast], tissue)) for tissue in darkest_to_brightest]
    assert signals == sorted(signals)
    assert signals[0] < 0.97 * signals[1]


def test_oedema_lies_between_white_matter_and_tumour() -> None:
    assert WHITE.t1_ms < OEDEMA.t1_ms < TUMOUR.t1_ms < NECROSIS.t1_ms < FLUID.t1_ms
    assert WHITE.t2_ms < OEDEMA.t2_ms < TUMOUR.t2_ms < NECROSIS.t2_ms < FLUID.t2_ms


def test_equation_is_told_for_both_kinds() -> None:
    assert "TI" not in SEQUENCES["T2w"].equation
    assert "2 exp(-TI/T1)" in SEQUENCES["FLAIR"].equation
