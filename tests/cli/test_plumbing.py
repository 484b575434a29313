"""Every subcommand keeps the promises of ``--json``, exit codes and a quiet, light start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import pytest

from napari_mrsynth.cli import Report, _app, follow, main
from napari_mrsynth.cli._output import pairs, table, to_json
from napari_mrsynth.errors import ContrastError
from napari_mrsynth.progress import Progress
from phantoms import brain_study, patient_folder

COMMANDS = (
    ("study",), ("synthesize",), ("structure",), ("evaluate",), ("demo",), ("doctor",),
    ("train",), ("finetune",), ("export",),
    ("models", "list"), ("models", "show"), ("models", "verify"), ("dataset", "build"), ("dataset", "verify"),
    ("experiment", "any-subset"),
    *(("experiment", f"joyce-{table}") for table in ("unimodal", "missing", "misaligned", "transfer")),
)  # fmt: skip


def answering(monkeypatch: pytest.MonkeyPatch, function) -> None:
    """Let ``mrsynth doctor`` be `function`."""
    monkeypatch.setattr(_app.doctor, "doctor", function)
    monkeypatch.setattr(_app, "app", _app._assemble())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_subcommand_takes_json(mrsynth, command):
    ended = mrsynth(*command, "--help")
    assert ended.code == 0
    assert "--json" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("synthesize",),
        ("synthesize", ".", "--want", "FLAIR", "--device", "abacus"),
        ("study", "--no-such-option"),
        ("models", "paint"),
        ("evaluate", "--bootstrap", "many"),
        ("paint",),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_one_json_error(mrsynth, arguments):
    ended = mrsynth(*arguments, "--json")
    assert ended.code == 2
    assert set(ended.answer["error"]) == {"type", "message", "hint"}
    assert ended.answer["error"]["type"] == "UsageError"
    assert "Error" in ended.err


def test_a_wrong_command_line_says_nothing_on_standard_output_without_json(mrsynth):
    ended = mrsynth("study")
    assert (ended.code, ended.out) == (2, "")
    assert "Missing argument" in ended.err


def test_an_error_is_quoted_with_its_hint_and_exit_code(mrsynth, monkeypatch):
    def failing() -> Report:
        raise ContrastError("There is no 7T here.", hint="Scan one.")

    answering(monkeypatch, failing)
    assert mrsynth("doctor").err == "Error: There is no 7T here.\nScan one.\n"
    ended = mrsynth("doctor", "--json")
    assert ended.code == 2
    assert ended.answer == {
        "error": {"type": "ContrastError", "message": "There is no 7T here.", "hint": "Scan one."}
    }


def test_a_fault_of_the_program_exits_with_1_and_still_one_json_object(mrsynth, monkeypatch):
    def broken() -> Report:
        raise ZeroDivisionError("oops")

    answering(monkeypatch, broken)
    ended = mrsynth("doctor", "--json")
    assert ended.code == 1
    assert ended.answer["error"]["type"] == "ZeroDivisionError"
    assert "Traceback" in ended.err


def test_interrupting_is_an_error_of_its_own(mrsynth, monkeypatch):
    def interrupted() -> Report:
        raise KeyboardInterrupt

    answering(monkeypatch, interrupted)
    ended = mrsynth("doctor", "--json")
    assert ended.code == 130
    assert ended.answer["error"]["type"] == "Cancelled"


def test_chatter_from_python_and_native_code_stays_off_standard_output(mrsynth, monkeypatch):
    def chatty() -> Report:
        print("from Python")
        os.write(1, b"from C\n")
        warnings.warn("from a library", FutureWarning, stacklevel=1)
        return Report({"ok": True}, "fine")

    answering(monkeypatch, chatty)
    ended = mrsynth("doctor", "--json")
    assert ended.answer == {"ok": True}
    assert "from Python" in ended.err
    assert "from C" in ended.err
    assert "from a library" not in ended.err


def test_a_report_sets_the_exit_code(mrsynth, monkeypatch):
    answering(monkeypatch, lambda: Report({}, "half done", 2))
    ended = mrsynth("doctor")
    assert (ended.code, ended.out) == (2, "half done\n")


def test_json_is_strict_whatever_the_payload_holds(tmp_path):
    import numpy as np

    payload = {
        "path": tmp_path,
        "none": float("inf"),
        "number": np.float32(0.5),
        "array": np.arange(3),
        "set": {"a"},
        3: True,
    }
    expected = (
        f'{{"path": "{tmp_path}", "none": null, "number": 0.5, "array": [0, 1, 2], "set": ["a"], "3": true}}'
    )
    assert to_json(payload) == expected


def test_a_report_survives_a_pipe_of_any_encoding():
    assert json.loads(to_json({"patient": "Łukasz"}).encode("ascii")) == {"patient": "Łukasz"}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_name_that_the_terminal_cannot_write_does_not_end_in_a_fault(arguments, tmp_path):
    study = brain_study(("T1w", "T2w"), shape=(12, 14, 10), spacing=(12, 12, 12), name="Łukasz")
    folder = patient_folder(tmp_path / "Łukasz", study)
    command = [sys.executable, "-m", "napari_mrsynth.cli", "study", *arguments, str(folder)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert b"ukasz" in done.stdout


def test_following_work_returns_its_result_and_tells_each_tenth_once(capsys):
    def work():
        for number in range(100):
            yield Progress(number / 100, "counting")
        return "counted"

    assert follow(work()) == "counted"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[3].startswith(" 30 %  counting")


def test_work_is_closed_when_it_is_interrupted():
    ended = []

    def work():
        try:
            yield Progress(0.5, "half")
            raise KeyboardInterrupt
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        follow(work())
    assert ended == [True]


def test_columns_are_aligned():
    assert table([("a", "bb"), ("ccc", "d")], ("x", "y")) == "x    y\na    bb\nccc  d"
    assert pairs({"a": 1, "long": None}) == "a     1\nlong  None"


def test_version_is_shown(mrsynth):
    import napari_mrsynth

    assert mrsynth("--version").out == f"{napari_mrsynth.__version__}\n"


def test_the_command_line_starts_without_heavy_libraries():
    code = (
        "import sys; from napari_mrsynth.cli import main; main(['--help']);"
        "heavy = {'torch', 'numpy', 'nibabel', 'SimpleITK', 'scipy', 'napari', 'qtpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_main_takes_the_arguments_of_the_process_by_default(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mrsynth", "--version"])
    assert main() == 0
    assert capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_goes_away_is_no_fault_of_the_program():
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from napari_mrsynth.cli import main; sys.exit(main(['models', 'list']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
