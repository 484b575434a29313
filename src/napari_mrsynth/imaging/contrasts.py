"""What contrasts are called: the field's names, their many spellings, and a guess from any text.

The list is open. A contrast that is not in it (``CT``, ``7T``, ``MyFancySequence``) is used under the
name its user gives; the known ones only add spellings and display defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from napari_mrsynth.imaging import wording
from napari_mrsynth.imaging.wording import Agent


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
        (
            *("t1w", "t1", "t1n", "mprage", "t1pre", "t1mprage", "spgr", "bravo", "fspgr", "mp2rage"),
            *("t1flair", "t1gre"),
        ),
    ),
    Contrast("T2w", "T2-weighted", "T2w", ("t2w", "t2", "t2tse", "t2fse", "t2space")),
    Contrast("PDw", "proton-density-weighted", "PDw", ("pdw", "pd", "protondensity")),
    Contrast("DWI", "diffusion-weighted", "dwi", ("dwi", "dwib1000", "b1000", "trace")),
    Contrast("ADC", "apparent diffusion coefficient", "ADC", ("adc",)),
    Contrast("SWI", "susceptibility-weighted", "swi", ("swi", "swan")),
    Contrast("T2star", "T2*-weighted", "T2starw", ("t2star", "t2starw", "t2s", "gre", "hemo")),
    Contrast("MRA", "MR angiography", "angio", ("mra", "tof", "angio")),
)

_BY_NAME = {contrast.name: contrast for contrast in KNOWN}
_BY_SPELLING = {spelling: contrast for contrast in KNOWN for spelling in contrast.spellings}
_TARGET_WORDS = frozenset({"to", "into", "regto", "registeredto", wording.ONTO})
_MOVED_WORDS = _TARGET_WORDS | frozenset(
    {"in", "on", "reg", "registered", "coreg", "coregistered", "aligned", "warped", "resampled", "resliced"}
)
_T2_LIKE = frozenset({"FLAIR", "T2star", "SWI"})
"""They are T2-weighted too: beside one of them, ``T2`` tells nothing."""
_TELLING_NOTHING = frozenset(
    {"ax", "axial", "tra", "trans", "transverse", "transversal", "sag", "sagittal", "cor", "coronal", "obl"}
    | {"iso", "isotropic", "mpr", "vibe", "space", "se", "tse", "fse", "ffe", "tfe", "2d", "3d", "fs", "fat"}
    | {"sat", "fatsat", "hr", "brain", "head", "bet", "stripped", "orig", "raw", "masked", "defaced", "n4"}
    | {"bias", "corrected", "norm", "mni", "synthetic"}
    | _MOVED_WORDS
)
_PLAIN_NUMBER = re.compile(r"\d+[a-z]{0,3}|[ps]\d+")
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


def own_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of `names` that are not known contrasts: the user's own, which nobody can guess."""
    return tuple(name for name in names if name not in _BY_NAME)


def canonical(name: str) -> str:
    """Return the field's name for a spelling (``t2f`` gives ``FLAIR``); unknown names come back as given."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    found = _BY_SPELLING.get(plain)
    return found.name if found else name.strip()


def is_label_name(stem: str) -> bool:
    """Whether a file name (without its extension) says that it holds labels, not a scan."""
    return any(word in LABEL_WORDS for word in re.split(r"[^a-z0-9]+", stem.lower()))


def guess_from_name(stem: str) -> Guess:
    """Guess the contrast from a file or layer name without its extension.

    The last recognised word wins (names run from patient to contrast); two neighbouring words are tried
    together first, so that ``t2_flair`` is FLAIR and not T2w. What follows a word of registration names what
    a scan was brought onto: ``T2_to_T1`` and ``T2_space-T1`` are T2w. Of T1w, a ``ce-`` entity (BIDS) or the
    words of contrast agents make T1ce (:func:`~.wording.agent_in`). The confidence is lower where words
    follow that may mean anything, and lower still where they contradict each other.
    """
    words = _without_target(wording.words_of(stem))
    found = _mentions(words)
    if not found:
        if wording.agent_in(words, len(words)) is Agent.GIVEN and "post" in words:
            return Guess("T1ce", 0.6, "a contrast agent in the name, though no contrast")
        return Guess(None, 0.0, "nothing in the name is a known contrast")
    last = found[-1]
    alike = [mention for mention in found if mention.contrast in _T2_LIKE]
    if last.contrast == "T2w" and alike:
        return Guess(alike[-1].contrast, 0.75, f"“{alike[-1].text}” in the name")
    confidence = 0.95 if all(_tells_nothing(word) for word in words[last.end :]) else 0.75
    contrast = last.contrast
    if contrast in ("T1w", "T1ce"):
        first = next(mention for mention in found if mention.contrast == contrast)
        entity = re.search(r"(?:^|_)ce-[A-Za-z0-9]+", stem) is not None
        agent = Agent.GIVEN if entity else wording.agent_in(words, first.start + 1)
        contrast, most = _T1[contrast, agent]
        confidence = min(confidence, most)
    return Guess(contrast, confidence, f"“{last.text}” in the name")


def says_contrast_alone(stem: str) -> bool:
    """Whether a name tells a contrast and nothing else, such as whose it is: ``t1``, ``AX_T1_pre_Gd``."""
    words = wording.words_of(stem)
    mentions = _mentions(words)
    within = {place for mention in mentions for place in range(mention.start, mention.end)}
    others = [word for place, word in enumerate(words) if place not in within]
    return bool(mentions) and all(
        word in _TELLING_NOTHING or wording.speaks_of_agent(word) for word in others
    )


_T1 = {
    ("T1w", Agent.UNSAID): ("T1w", 0.95),
    ("T1w", Agent.GIVEN): ("T1ce", 0.95),
    ("T1w", Agent.PERHAPS_GIVEN): ("T1ce", 0.85),
    ("T1w", Agent.PERHAPS_NOT): ("T1w", 0.6),
    ("T1w", Agent.NOT_GIVEN): ("T1w", 0.95),
    ("T1ce", Agent.UNSAID): ("T1ce", 0.95),
    ("T1ce", Agent.GIVEN): ("T1ce", 0.95),
    ("T1ce", Agent.PERHAPS_GIVEN): ("T1ce", 0.95),
    ("T1ce", Agent.PERHAPS_NOT): ("T1ce", 0.6),
    ("T1ce", Agent.NOT_GIVEN): ("T1ce", 0.6),
}
"""What the T1 word and the words of agents make together, and how sure that is at most."""


@dataclass(frozen=True)
class _Mention:
    """A contrast in a name: the words from `start` up to `end`."""

    contrast: str
    start: int
    end: int
    text: str


def _mentions(words: Sequence[str]) -> list[_Mention]:
    """Return the contrasts that words name, in order; agents behind a T1 are left for later."""
    found: list[_Mention] = []
    place = 0
    while place < len(words):
        for length in (2, 1):
            text = "".join(words[place : place + length])
            known_one = _BY_SPELLING.get(text) if place + length <= len(words) else None
            if known_one is not None and not (length == 2 and known_one.name == "T1ce"):
                found.append(_Mention(known_one.name, place, place + length, text))
                break
        place = found[-1].end if found and found[-1].end > place else place + 1
    return found


def _without_target(words: list[str]) -> list[str]:
    """Leave out what a scan was brought onto: the word after ``to``, and all from a second contrast on."""
    words = [word for before, word in zip(["", *words], words, strict=False) if before not in _TARGET_WORDS]
    for one, other in pairwise(_mentions(words)):
        if _MOVED_WORDS.intersection(words[one.end : other.start]):
            return words[: other.start]
    return words


def _tells_nothing(word: str) -> bool:
    return (
        word in _TELLING_NOTHING or wording.speaks_of_agent(word) or _PLAIN_NUMBER.fullmatch(word) is not None
    )
