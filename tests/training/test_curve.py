"""The table of figures: every row on the disk at once, cut back to where a training goes on."""

from __future__ import annotations

from pathlib import Path

from napari_mrsynth.training.curve import Curve, CurveLogger


def test_every_row_is_on_the_disk_at_once(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "log" / "curve.csv", 0)
    curve.add(0, {"loss": 2.0})
    curve.add(1, {"loss": 1.0})
    assert (tmp_path / "log" / "curve.csv").read_text() == "step,loss\n0,2.0\n1,1.0\n"


def test_rows_after_the_checkpoint_are_dropped_and_so_is_half_a_row(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("step,loss\n0,3.0\n1,2.0\n2,1.0\n3")
    Curve(path, 2).add(2, {"loss": 1.5})
    assert path.read_text() == "step,loss\n0,3.0\n1,2.0\n2,1.5\n"


def test_the_log_of_an_earlier_version_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("epoch,loss,step\n0,3.0,9\n")
    Curve(path, 10).add(19, {"loss": 1.5})
    assert path.read_text() == "step,epoch,loss\n9,0,3.0\n19,,1.5\n"


def test_a_new_figure_gets_a_column(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "curve.csv", 0)
    curve.add(0, {"loss": 2.0})
    curve.add(1, {"loss": 1.0, "fused": 0.5})
    assert curve.path.read_text() == "step,loss,fused\n0,2.0,\n1,1.0,0.5\n"


def test_the_logger_leaves_out_lightnings_count_of_epochs(tmp_path: Path) -> None:
    logger = CurveLogger(tmp_path / "curve.csv", 0)
    logger.log_metrics({"loss": 1.0, "epoch": 3}, 7)
    assert (tmp_path / "curve.csv").read_text() == "step,loss\n7,1.0\n"
