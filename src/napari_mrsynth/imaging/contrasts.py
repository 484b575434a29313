"""What contrasts are called: the field's names, their many spellings, and a guess from any text.

The list is open. A contrast that is not in it (``CT``, ``7T``, ``MyFancySequence``) is used under the
name its user gives; the known ones only add spellings and display defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Contrast:
    """A known contrast.

    Attributes
    ----------
    name : str
        The name used throughout: ``T1w``, ``T1ce``, ``T2w``, ``FLAIR`` ...
    title : str
        What it is, in words.
    bids : str
        Its BIDS suffix; `ce` marks the contrast-enhanced one.
    spellings : tuple of str
        Lower-case spellings found in file names, without separators.
    """

    name: str
    title: str
    bids: str
    spellings: tuple[str, ...]


KNOWN: tuple[Contrast, ...] = (
    Contrast(
        "T1ce",
        "T1-weighted, after contrast agent",
        "T1w",
        (
            "t1ce",
            "t1c",
            "t1gd",
            "t1post",
            "t1wks",
            "t1ks",
            "t1wce",
            "t1wgd",
            "t1wpost",
            "t1km",
            "ct1",
            "postcontrast",
        ),
    ),
    Contrast(
        "FLAIR",
        "T2-weighted, fluid attenuated",
        "FLAIR",
        ("flair", "t2flair", "t2f", "t2wflair", "fla", "tirm", "darkfluid"),
    ),
    Contrast(
        "T1w",
        "T1-weighted",
        "T1w",
        ("t1w", "t1", "t1n", "mprage", "t1pre", "t1mprage", "spgr", "bravo", "fspgr", "mp2rage", "t1flair"),
    ),
    Contrast("T2w", "T2-weighted", "T2w", ("t2w", "t2", "t2tse", "t2fse", "t2space")),
    Contrast("PDw", "proton-density-weighted", "PDw", ("pdw", "pd", "protondensity")),
    Contrast("DWI", "diffusion-weighted", "dwi", ("dwi", "dwib1000", "b1000", "trace")),
    Contrast("ADC", "apparent diffusion coefficient", "ADC", ("adc",)),
    Contrast("SWI", "susceptibility-weighted", "swi", ("swi", "swan")),
    Contrast("T2star", "T2*-weighted", "T2starw", ("t2star", "t2starw", "t2s", "gre")),
    Contrast("MRA", "MR angiography", "angio", ("mra", "tof", "angio")),
)

_BY_NAME = {contrast.name: contrast for contrast in KNOWN}
_BY_SPELLING = {spelling: contrast for contrast in KNOWN for spelling in contrast.spellings}
_TARGET_WORDS = frozenset({"to", "regto", "into", "registeredto"})
_AGENT_WORDS = frozenset({"post", "gd", "gad", "gado", "gadolinium", "ce", "km", "enhanced"})
_NOT_AGENT = frozenset({"op", "surgery", "surgical", "treatment", "rt", "therapy"})
LABEL_WORDS = frozenset(
    {"seg", "mask", "msk", "label", "labels", "gt", "gs", "lesion", "lesions", "roi", "dseg", "brainmask"}
    | {"consensus", "groundtruth", "annotation"}
)


@dataclass(frozen=True)
class Guess:
    """A contrast guessed from text or a header.

    Attributes
    ----------
    contrast : str or None
        The name, or None where nothing was recognised.
    confidence : float
        0 to 1.
    reason : str
        What it was guessed from, for people.
    """

    contrast: str | None
    confidence: float
    reason: str


def known(name: str) -> Contrast | None:
    """Return the known contrast of exactly this name, or None."""
    return _BY_NAME.get(name)


def canonical(name: str) -> str:
    """Return the field's name for a spelling (``t2f`` gives ``FLAIR``); unknown names come back as given."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    found = _BY_SPELLING.get(plain)
    return found.name if found else name.strip()


def is_label_name(stem: str) -> bool:
    """Whether a file name (without its extension) says that it holds labels, not a scan."""
    return any(word in LABEL_WORDS for word in _words(stem))


def guess_from_name(stem: str) -> Guess:
    """Guess the contrast from a file or layer name without its extension.

    The last recognised word wins (names run from patient to contrast); two neighbouring words are tried
    together first, so that ``t1_ce`` is T1ce and not T1w. A word after ``to`` names what a scan was
    registered to and is passed over (``T2_to_T1`` is T2w). A ``ce-`` entity (BIDS), or a later word such as
    ``post`` or ``gd`` (but not ``post op``), makes T1w T1ce.
    """
    words = _telling_words(stem)
    enhanced = bool(re.search(r"(?:^|_)ce-[A-Za-z0-9]+", stem))
    for end in range(len(words), 0, -1):
        for length in (2, 1):
            chunk = "".join(words[max(0, end - length) : end])
            found = _BY_SPELLING.get(chunk)
            if found is None or (length == 2 and end < 2):
                continue
            name = found.name
            if name == "T1w" and (enhanced or _AGENT_WORDS.intersection(words[end:])):
                name = "T1ce"
            at_end = end == len(words)
            return Guess(name, 0.95 if at_end else 0.75, f"“{chunk}” in the name")
    return Guess(None, 0.0, "nothing in the name is a known contrast")


def _telling_words(stem: str) -> list[str]:
    """Return the words of a name without those that speak of registration targets or of surgery."""
    words = _words(stem)
    return [
        word
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
        if before not in _TARGET_WORDS and not (word == "post" and after in _NOT_AGENT)
    ]


def _words(stem: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
