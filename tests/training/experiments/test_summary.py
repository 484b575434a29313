"""Means, spreads and bars are what the rows say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from napari_mrsynth.errors import FormatError
from napari_mrsynth.training.experiments.ledger import Ledger, Row
from napari_mrsynth.training.experiments.summary import Table, bars_of, by_kind

ERRORS = {  # inputs: network, forest, linear
    "T1w": (0.08, 0.10, 0.20),
    "T2w": (0.06, 0.08, 0.20),
    "T1w+T2w": (0.04, 0.05, 0.06),
}


def rows_of(errors=ERRORS, part="test", patient="p"):
    return [
        Row(part, patient, method, inputs, "FLAIR", "brain", 100, value, 0.1, 20.0, 0.8, 0.9)
        for inputs, values in errors.items()
        for method, value in zip(("network", "forest", "linear"), values, strict=True)
    ]


def cleared(errors):
    return [bar.cleared for bar in bars_of(Table(rows_of(errors)))]


def test_the_spread_is_over_patients():
    table = Table([*rows_of(patient="p"), *rows_of({"T1w": (0.10, 0.2, 0.3)}, patient="q")])
    spread = table.spread("network", "T1w", "FLAIR", "nmse")
    assert (spread.mean, spread.count) == (pytest.approx(0.09), 2)
    assert spread.sd == pytest.approx(math.sqrt(2) * 0.01)
    assert spread.shown(3) == "0.090 ± 0.014"
    assert table.spread("network", "T2w", "FLAIR", "nmse").shown(3) == "0.060"
    assert table.spread("network", "T1w", "FLAIR", "nmse", "lesion").shown(3) == "–"


def test_folds_are_spread_as_their_means_are():
    folds = {"fold-0": (0.1, 0.3), "fold-1": (0.4, 0.6)}
    rows = [
        row
        for part, errors in folds.items()
        for patient, error in enumerate(errors)
        for row in rows_of({"T1w": (error, 0.2, 0.2)}, part=part, patient=str(patient))
    ]
    sd = Table(rows).between_parts("network", "T1w", "FLAIR", "nmse")
    assert sd == pytest.approx(math.sqrt(2) * 0.15)
    assert math.isnan(Table(rows_of()).between_parts("network", "T1w", "FLAIR", "nmse"))


def test_infinite_and_undefined_figures_do_not_enter_a_mean():
    rows = [
        replace(row, psnr=value) for row, value in zip(rows_of(), (math.inf, 10.0, math.nan), strict=False)
    ]
    assert Table(rows[:1]).spread("network", "T1w", "FLAIR", "psnr").count == 0


def test_all_bars_are_cleared_when_they_are():
    assert cleared(ERRORS) == [True, True, True]


def test_one_pair_worse_than_linear_regression_fails_the_first_bar():
    assert cleared({**ERRORS, "T2w": (0.06, 0.08, 0.059)}) == [False, True, True]


def test_fourteen_per_cent_better_than_the_forest_is_not_enough():
    fourteen = {inputs: (0.86 * forest, forest, linear) for inputs, (_, forest, linear) in ERRORS.items()}
    assert cleared(fourteen) == [True, False, True]


def test_all_inputs_worse_than_a_single_one_fails_the_last_bar():
    assert cleared({**ERRORS, "T2w": (0.03, 0.08, 0.2)}) == [True, True, False]


def test_a_figure_that_is_not_a_number_clears_no_bar():
    assert cleared({**ERRORS, "T2w": (math.nan, 0.08, 0.2)}) == [False, False, False]


def test_test_patients_and_folds_are_not_mixed():
    tables = by_kind([*rows_of(), *rows_of(part="fold-0", patient="q"), *rows_of(part="fold-1", patient="r")])
    assert tables["test"].patients == ("p",)
    assert tables["cross-validation"].patients == ("q", "r")


def test_rows_survive_the_file_and_stale_ones_are_dropped(tmp_path):
    origins = {("test", method): {"seed": 0} for method in ("network", "forest", "linear")}
    ledger = Ledger(tmp_path, origins)
    ledger.add(rows_of())
    assert Ledger(tmp_path, origins).rows == rows_of()
    changed = Ledger(tmp_path, {**origins, ("test", "forest"): {"seed": 1}})
    assert changed.dropped == 3
    assert {row.method for row in changed.rows} == {"network", "linear"}


def test_a_damaged_table_is_said_with_its_line(tmp_path):
    Ledger(tmp_path, {}).add(rows_of())
    path = tmp_path / "results.csv"
    path.write_text(path.read_text() + "test,p,network,T1w\n")
    with pytest.raises(FormatError, match=r"Line 11 .* is damaged"):
        Ledger(tmp_path, {})
    path.write_text("something else\n")
    with pytest.raises(FormatError, match="not a table of results"):
        Ledger(tmp_path, {})


def test_a_volume_whose_last_line_was_cut_short_is_made_again(tmp_path):
    ledger = Ledger(tmp_path, {})
    first = rows_of()
    lesion = replace(first[-1], region="lesion")
    ledger.add(first)
    ledger.add([lesion])
    path = tmp_path / "results.csv"
    path.write_text(path.read_text()[:-25])
    again = Ledger(tmp_path, {})
    assert again.rows == first[:-1]
    again.add([first[-1], lesion])
    assert Ledger(tmp_path, {}).rows == [*first, lesion]


def test_of_some_patients_alone_a_region_was_scored():
    lesions = [replace(row, region="lesion") for row in rows_of(patient="q")]
    table = Table([*rows_of(patient="p"), *rows_of(patient="q"), *lesions])
    assert table.patients_with("brain") == ("p", "q")
    assert table.patients_with("lesion") == ("q",)
