"""What file names say: extensions, patients, brain masks, lesions; and the names we give."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from napari_mrsynth.imaging import contrasts

EXTENSIONS = (".nii.gz", ".nii", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
"""What :func:`napari_mrsynth.io.read_image` opens, longest first."""

SOURCE_MAP = "sourcemap"
"""What the map of which scan each voxel came from is called where contrasts are."""

_MASK_WORDS = frozenset({"mask", "brainmask"})
_BRAIN_WORDS = frozenset({"brain", "brainmask", "bet", "skullstrip"})
_LESION_WORDS = frozenset(
    {"seg", "msk", "gt", "gs", "gold", "lesion", "lesions", "label", "labels", "roi", "consensus"}
    | {"groundtruth", "annotation", "tumor", "tumour"}
)
_OTHER_WORDS = frozenset(
    {"dseg", "probseg", "aseg", "aparc", "synthseg", "tissue", "tissues", "wmparc", SOURCE_MAP}
)

BRATS_2021 = {1: "necrotic core", 2: "oedema", 4: "enhancing tumour"}
BRATS_2023 = {1: "necrotic core", 2: "oedema", 3: "enhancing tumour"}


class Role(Enum):
    """What a file is for, as far as its name says."""

    SCAN = "scan"
    LESIONS = "lesions"
    BRAIN_MASK = "brain mask"
    SOME_MASK = "mask of brain or lesions"
    OTHER_LABELS = "tissues, parcellation or source map"


def extension_of(path: Path) -> str | None:
    """Return the image extension of a file, in lower case, or None where we do not know it."""
    name = path.name.lower()
    return next((extension for extension in EXTENSIONS if name.endswith(extension)), None)


def stem_of(path: Path) -> str:
    """Return a file's name without its image extension (``.nii.gz`` goes whole)."""
    extension = extension_of(path)
    return path.name[: -len(extension)] if extension else path.name


def role_of(stem: str) -> Role:
    """Say what a file is for from its name without extension.

    ``*_seg``, ``*_consensus_gt``, ``*_msk``, ``*_gs`` and BIDS ``label-lesion_*`` are lesions;
    ``*_brainmask`` and ``desc-brain_mask`` are brain masks; a bare ``*_mask`` may be either and its size
    decides.
    """
    words = [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
    found = set(words)
    if found & _OTHER_WORDS:
        return Role.OTHER_LABELS
    says_mask = bool(found & _MASK_WORDS) or words[-1:] == ["msk"]
    if says_mask and found & _BRAIN_WORDS and not found & {"lesion", "lesions"}:
        return Role.BRAIN_MASK
    if found & _LESION_WORDS and (contrasts.is_label_name(stem) or "gold" in found):
        return Role.LESIONS
    return Role.SOME_MASK if says_mask else Role.SCAN


def lesion_names(stem: str, present: tuple[int, ...]) -> Mapping[int, str]:
    """Name the classes of a lesion map where its values or its file name tell the convention.

    BraTS 2021 numbers enhancing tumour 4, BraTS 2023 numbers it 3.
    """
    values = set(present)
    if values == {1}:
        return {1: "lesion"}
    if values and values <= set(BRATS_2021) and (4 in values or stem.lower().startswith("brats20")):
        return {value: BRATS_2021[value] for value in present}
    if values and values <= set(BRATS_2023) and stem.upper().startswith("BRATS-"):
        return {value: BRATS_2023[value] for value in present}
    return {}


def patient_of(path: Path) -> str:
    """Return the patient's name: ``sub-01_ses-02`` in BIDS, else its folder or file.

    A relative path is read from the current folder: ``anat`` within ``sub-01`` is of ``sub-01``.
    """
    path = Path(os.path.abspath(path))
    entities = bids_entities(path)
    if entities:
        return "_".join(entities)
    if path.is_dir() or extension_of(path) is None:
        return path.name or "patient"
    words = re.split(r"([_\-. ]+)", stem_of(path))
    while len(words) > 2 and _is_contrast_word(words[-1]):
        words = words[:-2]
    return "".join(words) or "patient"


def told_apart(folders: Sequence[Path]) -> tuple[str, ...]:
    """Return folders' names; where two are called alike, with as many parents as tell them apart."""
    paths = [Path(os.path.abspath(folder)) for folder in folders]
    names = []
    for path in paths:
        others = [other for other in paths if other != path]
        count = 1
        while count < len(path.parts) and any(o.parts[-count:] == path.parts[-count:] for o in others):
            count += 1
        names.append("/".join(path.parts[-count:]))
    return tuple(names)


def bids_entities(path: Path) -> tuple[str, ...]:
    """Return subject and session (``sub-01``, ``ses-02``) of a path's last four parts, none without sub."""
    parts = [
        part
        for part in re.split(r"[_/\\]", "/".join(path.parts[-4:]))
        if re.fullmatch(r"(?:sub|ses)-[A-Za-z0-9]+", part)
    ]
    subject = next((part for part in parts if part.startswith("sub-")), "")
    session = next((part for part in parts if part.startswith("ses-")), "")
    return tuple(part for part in (subject, session) if part) if subject else ()


def patient_of_scans(given: Path, scans: Iterable[Path]) -> str:
    """Return the patient's name from what was given and from the scans that were found there.

    Where the path names no BIDS subject, but all scans found name the same one, it is theirs. A file that is
    called like a contrast alone (``T1.nii.gz``) is called after its folder.
    """
    given = Path(os.path.abspath(given))
    named = [bids_entities(scan) for scan in scans]
    if not bids_entities(given) and named and all(named) and len({entity[0] for entity in named}) == 1:
        return "_".join(named[0] if len(set(named)) == 1 else named[0][:1])
    name = patient_of(given)
    if extension_of(given) is not None and not given.is_dir() and contrasts.says_contrast_alone(name):
        given = given.parent
    return patient_of(given.parent if given.name.lower() == "anat" else given)


def called(stem: str, names: Iterable[str]) -> str | None:
    """Return the longest of `names` that a file's stem ends with, in whole words; None if there is none."""
    words = _words(stem)
    ends = [name for name in names if (own := _words(name)) and words[-len(own) :] == own]
    return max(ends, key=lambda name: len(_words(name)), default=None)


def derivative_name(patient: str, contrast: str, *, synthetic: bool = True) -> str:
    """Return a BIDS-derivative file name: ``sub-01_ce-gd_desc-synthetic_T1w.nii.gz``.

    Parameters
    ----------
    patient : str
        Any name; ``sub-`` and ``ses-`` entities are kept, anything else becomes the subject's label: its
        letters and digits without accents, a digest after them where other scripts had to go.
    contrast : str
        ``FLAIR``, ``T1ce`` ... or any name; reading the file back gives it again.
    synthetic : bool
        Whether to say so in the name.
    """
    entities = dict(re.findall(r"(?:^|_)(sub|ses)-([A-Za-z0-9]+)(?![^_])", patient))
    subject = entities.get("sub") or _label_of(patient)
    known = contrasts.known(contrasts.canonical(contrast))
    parts = [f"sub-{subject}"]
    if "sub" in entities and "ses" in entities:
        parts.append(f"ses-{entities['ses']}")
    if known is not None and known.name == "T1ce":
        parts.append("ce-gd")
    if synthetic:
        parts.append("desc-synthetic")
    parts.append(known.bids if known else re.sub(r"[^A-Za-z0-9]", "", contrast) or "unknown")
    return "_".join(parts) + ".nii.gz"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _label_of(patient: str) -> str:
    """Return a BIDS label for any name; where letters BIDS lacks are lost, a digest keeps patients apart."""
    plain = unicodedata.normalize("NFKD", patient)
    label = re.sub(r"[^A-Za-z0-9]", "", plain)
    if all(character.isascii() for character in plain if character.isalnum()):
        return label or "patient"
    return label + hashlib.sha256(plain.encode()).hexdigest()[:8]


def _is_contrast_word(word: str) -> bool:
    return contrasts.known(contrasts.canonical(word)) is not None or role_of(word) is not Role.SCAN
