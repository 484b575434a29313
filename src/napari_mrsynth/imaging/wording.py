"""The words of a scan's name, spelled alike, and what they say of a contrast agent: given, or not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum

ONTO = "onto"
"""What ``space-`` (BIDS) is read as: the next word is what a scan was brought onto."""

_REWRITTEN = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"(?:^|(?<=[_/\s]))(?:sub|ses|run)-[a-z0-9]+", " "),  # who and when, not what
        (r"(?<![a-z0-9])space-(?=[a-z0-9])", f" {ONTO} "),
        (r"t2w?\s?\*w?", "t2star"),
        (r"\+\s*c(?![a-z0-9])|(?<![a-z0-9])c\s*\+", " gad "),
        (r"(?<![a-z0-9])w[\s/_]?o(?![a-z0-9])", " without "),
        (r"unenhanced", " non enhanced "),
        (r"(?<![a-z])(pre|post|non)-?(contrast|enhanced|gad|gd|km)(?![a-z])", r" \1 \2 "),
    )
)

_AGENTS = frozenset({"gad", "gado", "gadolinium", "gadovist", "dotarem"})
_HINTS = frozenset({"gd", "ce", "km", "contrast", "enhanced"})
"""Before the T1 they may be initials, or speak of something else, unless ``post`` or ``with`` leads them."""
_ATTACHED_AGENTS = frozenset({"c", "ks"})
"""They mean an agent right behind the T1 alone: ``T1W KS``, ``t1_c``."""
_LEADING = frozenset({"post", "with", "w", "nach", "mit"})
_NEGATIONS = frozenset({"pre", "without", "no", "non", "not", "nativ", "native", "plain"})
_UNENHANCED = frozenset({"pre", "nativ", "native", "plain"})
"""Negations that say it by themselves, with no agent named."""
_BETWEEN = frozenset({"iv", "the", "any"})
"""What may stand between a negation and the agent."""
_EVENTS = frozenset(
    {"op", "operation", "operative", "operativ", "surgery", "surgical", "resection", "resected", "biopsy"}
    | {"treatment", "treated", "tx", "therapy", "rt", "xrt", "radiation", "radiotherapy", "radio", "chemo"}
    | {"chemotherapy", "intervention", "interventional", "ablation", "litt", "dbs", "shunt", "transplant"}
    | {"trauma", "traumatic", "stroke", "ictal", "mortem", "partum", "baseline"}
    | {"proc", "process", "processed", "processing"}
)


class Agent(Enum):
    """What a name says of a contrast agent."""

    UNSAID = "unsaid"
    GIVEN = "given"
    PERHAPS_GIVEN = "perhaps given"
    PERHAPS_NOT = "perhaps not given"
    NOT_GIVEN = "not given"


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a name.

    ``T2*`` becomes ``t2star``, ``+C`` becomes ``gad`` and ``w/o`` becomes ``without``; the labels of subject,
    session and run (BIDS) are left out, and so are ``post`` and ``pre`` with the event that they refer to:
    ``post op``, ``pre RT``.
    """
    text = unicodedata.normalize("NFC", text).lower()
    for pattern, instead in _REWRITTEN:
        text = pattern.sub(instead, text)
    words = [word for word in re.split(r"[\W_]+", text) if word]
    dated = {i for i, word in enumerate(words[:-1]) if word in ("post", "pre") and words[i + 1] in _EVENTS}
    return [word for i, word in enumerate(words) if i not in dated and i - 1 not in dated]


def agent_in(words: Sequence[str], t1_end: int) -> Agent:
    """Say what the words of a T1-weighted scan tell of a contrast agent.

    A negation (``pre``, ``w/o``, ``no``, ``nativ`` ...) cancels the agents that follow it. Ambiguous words
    before the T1 are hints only, and so is ``post`` alone.

    Parameters
    ----------
    words : sequence of str
        Of :func:`words_of`.
    t1_end : int
        Index of the word after the one that says T1.
    """
    given = hinted = cancelled = negated = False
    for place, word in enumerate(words):
        behind = place >= t1_end
        if word in _NEGATIONS and not _is_native_space(words, place):
            negated = True
            cancelled |= word in _UNENHANCED
        elif _is_agent(words, place, t1_end) or word == "post":
            cancelled |= negated
            led = bool(_LEADING.intersection(words[max(0, place - 1) : place]))
            sure = word in _AGENTS or led or (behind and word != "post")
            given |= sure and not negated
            hinted |= not sure and not negated
        elif word not in _BETWEEN:
            negated = False
    if cancelled:
        return Agent.PERHAPS_NOT if given or hinted else Agent.NOT_GIVEN
    if given:
        return Agent.GIVEN
    if not hinted:
        return Agent.UNSAID
    return Agent.PERHAPS_GIVEN if "post" in words[t1_end:] else Agent.PERHAPS_NOT


def speaks_of_agent(word: str) -> bool:
    """Whether a word belongs to what names say of contrast agents."""
    return word in _AGENTS | _HINTS | _ATTACHED_AGENTS | _LEADING | _NEGATIONS | _BETWEEN


def says_unenhanced(text: str) -> bool:
    """Whether a description says that no contrast agent had been given: ``T1 PRE GAD``."""
    return agent_in(words_of(text), 0) in (Agent.NOT_GIVEN, Agent.PERHAPS_NOT)


def _is_agent(words: Sequence[str], place: int, t1_end: int) -> bool:
    word = words[place]
    return word in _AGENTS | _HINTS or (word in _ATTACHED_AGENTS and place == t1_end)


def _is_native_space(words: Sequence[str], place: int) -> bool:
    return words[place] == "native" and words[place + 1 : place + 2] == ["space"]
