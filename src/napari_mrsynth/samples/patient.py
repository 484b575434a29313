"""One real patient, fetched from a public database and checked against its hashes.

The files are those of a multiple-sclerosis patient of the 3D MR image database of the University of
Ljubljana (Lesjak et al. 2018, CC BY), as published on GitHub in ``muschellij2/open_ms_data``: registered to
MNI space, brain only, 1 mm, four contrasts and the lesions on which three raters agreed. They are kept in
pooch's cache folder, so that the second time needs no network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.errors import SampleError
from napari_mrsynth.samples.steps import Steps, finish

if TYPE_CHECKING:
    from napari_mrsynth.io import PatientFiles

CACHE_VARIABLE = "MRSYNTH_CACHE"
"""Environment variable that names another folder for fetched files."""

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class RemoteFile:
    """A file of a public database.

    Attributes
    ----------
    name : str
        Its name there, and in the cache.
    contrast : str or None
        What it shows; None for the lesion labels.
    sha256 : str
        What its bytes must add up to.
    """

    name: str
    contrast: str | None
    sha256: str


@dataclass(frozen=True)
class RemotePatient:
    """A patient of a public database.

    Attributes
    ----------
    name : str
        What to call the patient; the cache has a folder of that name.
    address : str
        The folder on the web, ending in ``/``.
    files : tuple of RemoteFile
    notes : tuple of str
        Origin, licence and citation, for the user to see.
    """

    name: str
    address: str
    files: tuple[RemoteFile, ...]
    notes: tuple[str, ...] = ()


_MNI = "{}_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"

MS_PATIENT = RemotePatient(
    name="ms-patient26",
    address=(
        "https://raw.githubusercontent.com/muschellij2/open_ms_data/"
        "65704901f60650824565aa5a4818611aa89716f4/cross_sectional/MNI/patient26/"
    ),
    files=(
        RemoteFile(
            _MNI.format("T1"), "T1w", "e813b2805017dcf886da9bb5e6c6c548dfa938c17d49ecd66ea1caabe3794b32"
        ),
        RemoteFile(
            _MNI.format("T1POST"), "T1ce", "710cdfee41453cad0e1bf5b5f599e5135225eae3e6cb5e6d8f9edb1d240a763c"
        ),
        RemoteFile(
            _MNI.format("T2"), "T2w", "b84155ea55bfa1d8e1714161d302c393efae67b3bc580c99c4d09d5e49994e7f"
        ),
        RemoteFile(
            _MNI.format("FLAIR"), "FLAIR", "254ab239bdc83119015213af9c533f9af13dbed2b06b9a89fde43226cc4afa2a"
        ),
        RemoteFile(
            "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz",
            None,
            "5a9cc6ffbe3a5d2df67fba4207c0585b2f02a5f9f7f31e0e7e3f57cc59c2c5ac",
        ),
    ),
    notes=(
        "a real multiple-sclerosis patient, University of Ljubljana; CC BY; cite Lesjak et al. 2018, "
        "doi:10.1007/s12021-017-9348-7",
    ),
)


def ms_patient(cache: str | Path | None = None) -> PatientFiles:
    """Return the real patient, fetching the files that are not in the cache (16 MB the first time).

    See :func:`fetch_ms_patient`.
    """
    return finish(fetch_ms_patient(cache))


def fetch_ms_patient(cache: str | Path | None = None) -> Steps[PatientFiles]:
    """Fetch and read the real patient, one file a step (see :func:`fetch_patient`)."""
    return fetch_patient(MS_PATIENT, cache)


def fetch_patient(patient: RemotePatient, cache: str | Path | None = None) -> Steps[PatientFiles]:
    """Fetch a patient's files, check them and read them.

    Parameters
    ----------
    patient : RemotePatient
        What to fetch from where.
    cache : path-like, optional
        Where fetched files are kept; see :func:`cache_folder`.

    Yields
    ------
    Progress
        Before each file. Closing the generator stops before the next one; whole files stay in the cache.

    Returns
    -------
    PatientFiles
        The scans on their native grids with their contrasts, and the lesion labels.

    Raises
    ------
    SampleError
        If a file cannot be fetched (offline, moved, the cache is not writable) or is not the one that was
        published; nothing of it is left behind.
    """
    from napari_mrsynth.io import PatientFiles, read_image
    from napari_mrsynth.io.naming import lesion_names
    from napari_mrsynth.progress import Stopwatch

    watch = Stopwatch()
    folder = cache_folder(cache) / patient.name
    volumes, lesions = [], None
    for count, file in enumerate(patient.files):
        what = file.contrast or "lesion labels"
        yield watch.at(count / len(patient.files), f"Fetching {what}")
        path = _fetch(file, patient.address, folder)
        label = f"{patient.name} {file.contrast or 'lesions'}"
        if file.contrast is None:
            found = read_image(path, kind="labels")
            lesions = replace(found, name=label, labels=lesion_names(label, found.present))
        else:
            scan = read_image(path, kind="scan").as_contrast(file.contrast)
            volumes.append(replace(scan, name=label))
    return PatientFiles(patient.name, tuple(volumes), lesions, notes=patient.notes)


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return where fetched files are kept.

    `cache` where it is given, else the folder that ``MRSYNTH_CACHE`` names, else the operating system's cache
    folder for this program.
    """
    import os

    import pooch

    chosen = cache or os.environ.get(CACHE_VARIABLE) or pooch.os_cache("napari-mrsynth")
    return Path(chosen).expanduser()


def _fetch(file: RemoteFile, address: str, folder: Path) -> Path:
    """Return the file from the cache, fetched and checked where it is not there or has been changed."""
    import pooch
    from requests.exceptions import RequestException

    registry = pooch.create(
        path=folder, base_url=address, registry={file.name: f"sha256:{file.sha256}"}, retry_if_failed=0
    )
    downloader = pooch.HTTPDownloader(timeout=_TIMEOUT_S)
    try:
        return Path(registry.fetch(file.name, downloader=downloader))
    except RequestException as error:
        raise SampleError(
            f"“{file.name}” cannot be fetched from {address}: {_reason(error)}.",
            hint="Check the connection and try again, or open the digital brain, which works offline.",
        ) from error
    except OSError as error:
        raise SampleError(
            f"“{folder}” cannot keep the fetched files: {error.strerror or error}.",
            hint=f"Free some space or name another folder in the environment variable {CACHE_VARIABLE}.",
        ) from error
    except ValueError as error:
        raise SampleError(
            f"“{file.name}” from {address} is not the file that was published: its sha256 is not "
            f"{file.sha256[:12]}….",
            hint="A proxy or an interrupted download may have changed it: try again, or open the digital "
            "brain, which works offline.",
        ) from error


def _reason(error: Exception) -> str:
    """Say in a few words why a request failed, without the library's long representation."""
    from requests import exceptions

    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    if isinstance(error, exceptions.Timeout):
        return f"no answer within {_TIMEOUT_S:g} s"
    if isinstance(error, exceptions.ProxyError):
        return "the proxy does not answer"
    if isinstance(error, exceptions.SSLError):
        return "the connection is not secure"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return type(error).__name__
