"""``mrsynth demo`` starts the window's demo, on a virtual display where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from napari_mrsynth.cli import demo

STAND_IN = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir()
(out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
print("chatter")
print(out / "arguments.json")
sys.exit(int("--close" in sys.argv and out.name == "broken"))
"""


@pytest.fixture(autouse=True)
def window(monkeypatch):
    """A process in place of the window: it writes its arguments into the folder and says so."""
    monkeypatch.setattr(demo, "WINDOW", (sys.executable, "-c", STAND_IN))
    monkeypatch.setattr(demo, "VIRTUAL_DISPLAY", (sys.executable, "-c", STAND_IN, "virtual"))
    monkeypatch.setattr(demo, "has_display", lambda: True)


def test_with_a_display_the_window_is_opened_on_it_and_stays(mrsynth, tmp_path):
    out = tmp_path / "out"
    ended = mrsynth("demo", "--out", out, "--json")
    assert ended.answer == {"written": [str(out / "arguments.json")], "virtual_display": False}
    assert json.loads((out / "arguments.json").read_text()) == ["--out", str(out)]
    assert f"Saved {out / 'arguments.json'}" in ended.err
    assert "chatter" not in ended.err


def test_the_window_closes_on_request(mrsynth, tmp_path):
    mrsynth("demo", "--out", tmp_path / "out", "--close")
    assert json.loads((tmp_path / "out" / "arguments.json").read_text())[-1] == "--close"


def test_without_a_display_it_runs_on_a_virtual_one_and_ends_by_itself(mrsynth, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "has_display", lambda: False)
    ended = mrsynth("demo", "--out", tmp_path / "out")
    arguments = json.loads((tmp_path / "out" / "arguments.json").read_text())
    assert arguments[0] == "virtual"
    assert arguments[-1] == "--close"
    assert ended.out == f"{tmp_path / 'out' / 'arguments.json'}\n"
    assert "virtual" in ended.err


def test_without_any_display_the_hint_says_what_to_install(mrsynth, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "has_display", lambda: False)
    monkeypatch.setattr(demo.shutil, "which", lambda _: None)
    ended = mrsynth("demo", "--out", tmp_path / "out", "--json")
    assert ended.code == 2
    assert "xvfb" in ended.answer["error"]["hint"]
    assert not (tmp_path / "out").exists()


def test_a_demo_that_fails_is_a_failure(mrsynth, tmp_path):
    ended = mrsynth("demo", "--out", tmp_path / "broken", "--close", "--json")
    assert ended.code == 1
    assert "code 1" in ended.answer["error"]["message"]


def test_the_real_thing_is_the_windows_demo_on_xvfb():
    module = Path(demo.__file__).parents[1] / "gui" / "demo.py"
    assert module.is_file()
    assert real_window[1:] == ("-m", "napari_mrsynth.gui.demo")
    assert real_display[0] == "xvfb-run"


real_window, real_display, real_has_display = demo.WINDOW, demo.VIRTUAL_DISPLAY, demo.has_display


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
    assert real_has_display() is there
