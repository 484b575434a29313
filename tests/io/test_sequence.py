"""The contrast guessed from the acquisition: description and times together."""

from __future__ import annotations

import pytest

from napari_mrsynth.io.sequence import Sequence, from_bids, guess


@pytest.mark.parametrize(
    ("sequence", "contrast", "confidence"),
    [
        (Sequence("t1_mprage", 2000, 2.5, 900), "T1w", 0.95),
        (Sequence("t1_mprage post", 2000, 2.5, 900), "T1ce", 0.85),
        (Sequence("t1_mprage post", 2000, 2.5, 900, agent="Gadovist"), "T1ce", 0.98),
        (Sequence("t1_mprage post", 5000, 100, agent="Gadovist"), "T1ce", 0.5),
        (Sequence("AX T1 PRE GAD", 500, 10), "T1w", 0.95),
        (Sequence("AX T1 PRE GAD", 500, 10, agent="Gadovist"), "T1w", 0.6),
        (Sequence("T1_km_nativ", 500, 10), "T1w", 0.6),
        (Sequence("AX T2*", 600, 20), "T2star", 0.95),
        (Sequence("tof", 25, 3.5), "MRA", 0.95),
        (Sequence("t2_tirm dark-fluid", 9000, 120, 2500), "FLAIR", 0.98),
        (Sequence("T1 FLAIR", 2000, 10, 860), "T1w", 0.95),
        (Sequence("FLAIR", 2000, 10, 860), "T1w", 0.7),
        (Sequence("t2_tse", 600, 10), "T2w", 0.5),
        (Sequence("", 5000, 100), "T2w", 0.7),
        (Sequence("", 5000, 100, b_value=1000), "DWI", 0.7),
        (Sequence("ep2d", image_type=("DERIVED", "PRIMARY", "ADC")), "ADC", 0.7),
        (Sequence("mprage", agent="Gadovist"), "T1ce", 0.95),
        (Sequence("t2_tse", agent="Gadovist"), "T2w", 0.95),
        (Sequence("scout"), None, 0.0),
        (Sequence("", 1400, 45), None, 0.0),
    ],
)
def test_description_and_times_are_weighed(sequence, contrast, confidence):
    found = guess(sequence)
    assert found.contrast == contrast
    assert found.confidence == pytest.approx(confidence)
    assert found.reason


def test_bids_times_are_seconds_and_none_is_no_agent():
    acquired = from_bids(
        {"EchoTime": 0.09, "RepetitionTime": 5, "ContrastBolusIngredient": "NONE", "ProtocolName": "ax head"}
    )
    assert (acquired.te_ms, acquired.tr_ms, acquired.agent) == (90.0, 5000.0, "")
    assert acquired.description == "ax head"
