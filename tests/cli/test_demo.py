"""``mrsynth demo`` starts the window's demo, on a virtual display where there is none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_mrsynth.cli import demo


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Record the command instead of opening a window; answer with the files it would have written."""
    picture, scan = tmp_path / "demo.png", tmp_path / "FLAIR.nii.gz"
    commands = []

    def run(command, **_):
        commands.append(command)
        for file in (picture, scan):
            file.write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, stdout=f"chatter\n{picture}\n{scan}\n")

    monkeypatch.setattr(demo.subprocess, "run", run)
    monkeypatch.setattr(demo, "has_display", lambda: True)
    return commands


def test_with_a_display_the_window_is_opened_on_it(mrsynth, started, tmp_path):
    answer = mrsynth("demo", "--out", tmp_path / "out", "--json").answer
    assert answer == {
        "written": [str(tmp_path / "demo.png"), str(tmp_path / "FLAIR.nii.gz")],
        "virtual_display": False,
    }
    assert started == [[sys.executable, "-m", "napari_mrsynth.gui.demo", "--out", str(tmp_path / "out")]]


def test_without_a_display_it_runs_on_a_virtual_one_and_ends_by_itself(mrsynth, started, monkeypatch):
    monkeypatch.setattr(demo, "has_display", lambda: False)
    monkeypatch.setattr(demo.shutil, "which", lambda name: f"/usr/bin/{name}")
    ended = mrsynth("demo")
    assert started[0][0] == "xvfb-run"
    assert started[0][-1] == "--close"
    assert "FLAIR.nii.gz" in ended.out
    assert "virtual" in ended.err


def test_without_any_display_the_hint_says_what_to_install(mrsynth, started, monkeypatch):
    monkeypatch.setattr(demo, "has_display", lambda: False)
    monkeypatch.setattr(demo.shutil, "which", lambda _: None)
    ended = mrsynth("demo", "--json")
    assert ended.code == 2
    assert "xvfb" in ended.answer["error"]["hint"]
    assert started == []


def test_a_demo_that_fails_is_a_failure(mrsynth, monkeypatch):
    monkeypatch.setattr(demo, "has_display", lambda: True)
    monkeypatch.setattr(
        demo.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 3, stdout="")
    )
    assert mrsynth("demo", "--json").code == 1


@pytest.mark.parametrize(
    ("environment", "there"),
    [({}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "w"}, True), ({"DISPLAY": ""}, False)],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only X and Wayland announce themselves")
def test_a_display_is_known_by_its_variable(monkeypatch, environment, there):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert demo.has_display() is there
