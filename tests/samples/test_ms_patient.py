"""The real patient: fetched by hash from a server (a local one here), refused when it is another file."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from napari_mrsynth.errors import SampleError
from napari_mrsynth.samples import cache_folder, catalogue
from napari_mrsynth.samples.patient import MS_PATIENT, RemoteFile, RemotePatient, fetch_patient
from napari_mrsynth.samples.steps import finish
from phantoms import lesion_labels, phantom, save


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Database(NamedTuple):
    """A public database on this machine: its folder, its address, and what was published there."""

    folder: Path
    patient: RemotePatient


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    folder = tmp_path / "served"
    files = []
    for contrast in ("T1w", "FLAIR"):
        path = save(phantom(contrast=contrast, lesion=True), folder / f"{contrast}_of_patient.nii.gz")
        files.append(RemoteFile(path.name, contrast, hashlib.sha256(path.read_bytes()).hexdigest()))
    lesions = lesion_labels()
    path = save(replace(lesions, array=lesions.array // 2), folder / "GOLD_STANDARD.nii.gz")
    files.append(RemoteFile(path.name, None, hashlib.sha256(path.read_bytes()).hexdigest()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    yield Database(folder, RemotePatient("patient", address, tuple(files), ("a note",)))
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_are_fetched_read_and_named_by_their_contrast(database: Database, tmp_path: Path) -> None:
    patient = finish(fetch_patient(database.patient, tmp_path / "cache"))
    assert [volume.contrast for volume in patient.volumes] == ["T1w", "FLAIR"]
    assert np.array_equal(patient.volumes[1].array, phantom(contrast="FLAIR", lesion=True).array)
    assert patient.lesions is not None
    assert dict(patient.lesions.labels) == {1: "lesion"}
    assert patient.notes == ("a note",)
    assert patient.name == "patient"


def test_the_second_time_needs_no_server(database: Database, tmp_path: Path) -> None:
    finish(fetch_patient(database.patient, tmp_path / "cache"))
    gone = replace(database.patient, address="http://127.0.0.1:9/")
    assert len(finish(fetch_patient(gone, tmp_path / "cache")).volumes) == 2


def test_a_changed_file_is_refused_and_leaves_nothing(database: Database, tmp_path: Path) -> None:
    (database.folder / "T1w_of_patient.nii.gz").write_bytes(b"not what was published")
    with pytest.raises(SampleError, match="T1w_of_patient") as caught:
        finish(fetch_patient(database.patient, tmp_path / "cache"))
    assert database.patient.files[0].sha256[:12] in caught.value.message
    assert "digital brain" in caught.value.hint
    assert list((tmp_path / "cache" / "patient").iterdir()) == []


def test_a_damaged_cache_is_fetched_again(database: Database, tmp_path: Path) -> None:
    finish(fetch_patient(database.patient, tmp_path / "cache"))
    cached = tmp_path / "cache" / "patient" / "FLAIR_of_patient.nii.gz"
    cached.write_bytes(cached.read_bytes()[:100])
    finish(fetch_patient(database.patient, tmp_path / "cache"))
    assert hashlib.sha256(cached.read_bytes()).hexdigest() == database.patient.files[1].sha256


def test_offline_names_the_file_the_address_and_the_sample_that_works(
    database: Database, tmp_path: Path
) -> None:
    gone = replace(database.patient, address="http://127.0.0.1:9/")
    with pytest.raises(SampleError, match="no connection") as caught:
        finish(fetch_patient(gone, tmp_path / "cache"))
    assert "T1w_of_patient.nii.gz" in caught.value.message
    assert gone.address in caught.value.message
    assert "works offline" in caught.value.hint
    assert list((tmp_path / "cache").rglob("*.gz")) == []


def test_a_file_that_has_moved_tells_the_servers_answer(database: Database, tmp_path: Path) -> None:
    (database.folder / "FLAIR_of_patient.nii.gz").unlink()
    with pytest.raises(SampleError, match="the server answers 404"):
        finish(fetch_patient(database.patient, tmp_path / "cache"))


def test_a_cache_that_cannot_be_written_is_named(database: Database, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands here")
    with pytest.raises(SampleError, match="cache") as caught:
        finish(fetch_patient(database.patient, tmp_path / "cache"))
    assert "MRSYNTH_CACHE" in caught.value.hint


def test_closing_between_files_keeps_whole_files_only(database: Database, tmp_path: Path) -> None:
    steps = fetch_patient(database.patient, tmp_path / "cache")
    told = [next(steps), next(steps)]
    steps.close()
    assert [progress.message for progress in told] == ["Fetching T1w", "Fetching FLAIR"]
    assert [path.name for path in (tmp_path / "cache" / "patient").iterdir()] == ["T1w_of_patient.nii.gz"]


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRSYNTH_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    assert cache_folder(tmp_path / "here") == tmp_path / "here"
    monkeypatch.delenv("MRSYNTH_CACHE")
    assert cache_folder().name == "napari-mrsynth"


def test_the_published_patient_is_pinned_to_one_commit_and_five_hashes() -> None:
    assert [file.contrast for file in MS_PATIENT.files] == ["T1w", "T1ce", "T2w", "FLAIR", None]
    assert all(len(file.sha256) == 64 and int(file.sha256, 16) for file in MS_PATIENT.files)
    assert len({file.sha256 for file in MS_PATIENT.files}) == 5
    assert "65704901f60650824565aa5a4818611aa89716f4" in MS_PATIENT.address
    assert "CC BY" in MS_PATIENT.notes[0]


def test_the_catalogue_offers_what_works_offline_first() -> None:
    samples = catalogue()
    assert [sample.id for sample in samples] == ["digital-brain", "digital-brain-lesion", "ms-patient"]
    assert [sample.works_offline for sample in samples] == [True, True, False]
    assert all(sample.licence and sample.citation and sample.description for sample in samples)
    assert set(samples[0].simulated) < set(samples[0].contrasts)


def test_importing_the_samples_imports_no_imaging_library() -> None:
    import subprocess
    import sys

    heavy = ("nibabel", "pooch", "nilearn", "scipy", "torch", "requests", "napari")
    code = f"import sys, napari_mrsynth.samples; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
