"""Splits: by patient, from the table or the folders, and never with a patient on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.subjects import Split, Subject, find_subjects, person_of, split_subjects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = ["subject\tsplit\tstate"]
    for index in range(7):
        (tmp_path / f"p{index}").mkdir()
        rows.append(f"p{index}\t{'test' if index == 3 else 'train'}\tfine")
    (tmp_path / "subjects.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_the_table_decides_the_split(root):
    assert [s.id for s in find_subjects(DataConfig(str(root)))] == ["p0", "p1", "p2", "p4", "p5", "p6"]
    assert [s.id for s in find_subjects(DataConfig(str(root), split="test"))] == ["p3"]


def test_without_a_table_every_folder_is_a_patient(root):
    (root / "subjects.tsv").unlink()
    assert len(find_subjects(DataConfig(str(root)))) == 7


def test_a_table_that_was_asked_for_and_is_not_there_is_refused(root):
    with pytest.raises(InputError, match=r"no table .*patients\.tsv"):
        find_subjects(DataConfig(str(root), table="patients.tsv"))


def test_the_folds_hold_every_patient_out_exactly_once(root):
    subjects = find_subjects(DataConfig(str(root)))
    held = []
    for fold in range(3):
        split = split_subjects(subjects, DataConfig(str(root), folds=3, fold=fold))
        assert not {s.id for s in split.train} & {s.id for s in split.held_out}
        assert len(split.train) + len(split.held_out) == len(subjects)
        held += [s.id for s in split.held_out]
    assert sorted(held) == [s.id for s in subjects]


def test_a_patient_on_both_sides_is_refused():
    patient = Subject("p1", Path("p1"))
    with pytest.raises(InputError, match="p1 would be both"):
        Split((patient,), (patient,))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"held_out": ("p9",)}, "p9"),
        ({"folds": 3, "fold": 3}, "data.fold is 3"),
        ({"folds": 9}, "6 patients cannot be dealt into 9 folds"),
        ({"folds": 3, "held_out": ("p1",)}, "held_out names p1, and data.folds asks for 3 folds"),
        ({"fold": 2}, "data.fold is 2, but the patients are not dealt"),
    ],
)
def test_an_impossible_split_is_refused(root, changes, says):
    data = DataConfig(str(root), **changes)
    with pytest.raises(ConfigError, match=says):
        split_subjects(find_subjects(data), data)


@pytest.mark.parametrize("text", ["\ufeffsubject\tsplit\np0\ttrain\n", "subject\tsplit\n p0/ \ttrain \n"])
def test_a_table_saved_by_a_spreadsheet_or_with_blanks_is_understood(root, text):
    (root / "subjects.tsv").write_text(text, encoding="utf-8")
    assert [s.id for s in find_subjects(DataConfig(str(root)))] == ["p0"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("subject\tsplit\np\xe4\ttrain\n".encode("latin-1"), r"cannot be read.*UTF-8"),
        (b"subject\tsplit\np0\ttrain\np1\n", "Line 3 of .* has no split"),
        (b"subject\tsplit\np0\ttrain\n./p0\ttest\n", "lists p0 twice"),
        (
            b"subject\tsplit\tpatient\np0\ttrain\tA\np1\ttest\tA\n",
            "sessions of A in the splits 'train' and 'test'",
        ),
        (b"subject\tsplit\nsub-1/ses-1\ttrain\nsub-1/ses-2\ttest\n", "sessions of sub-1 in the splits"),
    ],
)
def test_a_table_that_cannot_be_meant_so_is_refused(root, content, says):
    (root / "subjects.tsv").write_bytes(content)
    with pytest.raises(InputError, match=says):
        find_subjects(DataConfig(str(root)))


def test_a_patient_listed_twice_is_refused(root):
    with (root / "subjects.tsv").open("a") as table:
        table.write("p1\ttest\tagain\n")
    with pytest.raises(InputError, match="p1 twice"):
        find_subjects(DataConfig(str(root)))


@pytest.mark.parametrize("split", ["train", "valid"])
def test_no_folder_or_no_patient_is_refused(tmp_path, split):
    with pytest.raises(InputError):
        find_subjects(DataConfig(str(tmp_path / "absent" if split == "train" else tmp_path), split=split))


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("sub-01/ses-2", "sub-01"),
        ("ms/sub-01_ses-2", "ms/sub-01"),
        ("Mueller_ses-2021", "Mueller"),
        ("ses-1", "ses-1"),
        ("patient07", "patient07"),
        ("sub-01_ses-1/anat", "sub-01"),
        ("sub-01/ses-1/anat", "sub-01"),
        ("sub-01/anat", "sub-01/anat"),
    ],
)
def test_sessions_are_known_by_their_folders_names(name, person):
    assert Subject(name, Path(name)).person == person


@pytest.mark.parametrize(
    ("folder", "person"),
    [
        ("/d/sub-01/ses-1", "/d/sub-01"),
        ("/d/sub-01/ses-1/anat", "/d/sub-01"),
        ("/d/sub-01_ses-1", "/d/sub-01"),
        ("/d/sub-01_ses-1/anat", "/d/sub-01"),
        ("/d/ses-1/p1", ""),
        ("/d/ses-project/p1", ""),
        ("/d/p1", ""),
    ],
)
def test_only_the_end_of_a_folders_path_says_whose_session_it_is(folder, person):
    assert person_of(Path(folder)) == person


def test_the_sessions_of_a_patient_are_never_parted(root):
    (root / "subjects.tsv").write_text(
        "subject\tsplit\tpatient\n"
        + "".join(f"sub-{n}/ses-{k}\ttrain\t\n" for n in range(3) for k in range(2))
        + "old/a\ttrain\tsub-0\n",
        encoding="utf-8",
    )
    data = DataConfig(str(root), folds=3)
    subjects = find_subjects(data)
    for fold in range(3):
        split = split_subjects(subjects, DataConfig(str(root), folds=3, fold=fold))
        assert not {s.person for s in split.train} & {s.person for s in split.held_out}
    with pytest.raises(InputError, match="sub-1 would be both"):
        split_subjects(subjects, DataConfig(str(root), held_out=("sub-1/ses-0",)))
    with pytest.raises(ConfigError, match="3 patients cannot be dealt into 4 folds"):
        split_subjects(subjects, DataConfig(str(root), folds=4))
