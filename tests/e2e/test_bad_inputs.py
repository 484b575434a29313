"""Every bad input is refused with what is wrong and how to mend it, or mended with a note; nothing is harmed.

Each row of the tables in ``tests/bad`` makes one input that is wrong in one way, gives it to the command line
and says what must be answered. Whatever the row, the given files are the same bytes afterwards, and nothing
has been written.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bad import command_rows, file_rows, model_rows, patient_rows
from bad.row import OUT, Mended, Refused
from napari_mrsynth.bundles import store
from napari_mrsynth.cli import main
from napari_mrsynth.io import read_image

REFUSED = [*file_rows.REFUSED, *patient_rows.REFUSED, *command_rows.REFUSED, *model_rows.REFUSED]
MENDED = file_rows.MENDED


def bytes_of(folder: Path) -> dict[str, str]:
    """Every file below a folder, with the hash of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.what)
def test_bad_input_is_refused_and_harms_nothing(
    row: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    monkeypatch.chdir(given)
    monkeypatch.setattr(store, "default_roots", lambda: (given / "models",))
    line = [str(part).replace(OUT, str(out)) for part in row.make(given)]
    before = bytes_of(given)
    if row.disturb is not None:
        row.disturb(monkeypatch)
    capfd.readouterr()
    code = main([*line, "--json"])
    said = capfd.readouterr()
    monkeypatch.undo()

    answer = json.loads(said.out)
    error = answer.get("error", answer)
    assert code == 2, said.err
    assert error["type"] == row.error, error
    missing = [part for part in row.says if part not in error["message"]]
    assert not missing, error
    assert row.hint
    assert row.hint.lower() in error["hint"].lower(), error
    assert error["message"] in said.err or row.error == "UsageError"
    assert "Traceback" not in said.err
    assert bytes_of(given) == before
    left = bytes_of(out) if out.exists() else {}
    assert not left, left
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("row", MENDED, ids=lambda row: row.what)
def test_what_can_be_mended_is_read_with_a_note(row: Mended, tmp_path: Path) -> None:
    path = row.make(tmp_path)
    before = bytes_of(tmp_path)
    image = read_image(path)
    assert image.array.ndim == 3
    assert any(row.note in note for note in image.notes) if row.note else not image.notes
    assert bytes_of(tmp_path) == before


def test_the_table_holds_at_least_sixty_distinct_inputs() -> None:
    assert len({row.what for row in REFUSED}) == len(REFUSED) >= 60
