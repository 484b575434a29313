"""What a model is: a frozen card of plain data, read strictly from YAML. No torch here, nothing executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import yaml

from napari_mrsynth.errors import BundleError

CARD_FILE = "card.yaml"
WEIGHTS_FILE = "model.safetensors"

_MEND = f"Mend {CARD_FILE}, or fetch the bundle again."
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_id(text: str) -> bool:
    """Whether a bundle can be called so: letters, digits, ``.``, ``_`` and ``-``."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Card:
    """Everything that is known about a model but its numbers.

    Attributes
    ----------
    id : str
        Short name: letters, digits, ``.``, ``_`` and ``-``.
    title, summary : str
        For people: one line, and a few sentences.
    system : str
        Which system runs it (``anysubset`` ...).
    network : mapping
        ``name`` of the registered network, and its parameters.
    inputs, outputs : tuple of str
        Contrasts it reads and makes. Any non-empty subset of the inputs can be given.
    spacing_mm : float
        Voxel size it was trained on, the same along every axis.
    neighbours : int
        Axial slices it sees on each side of the one it makes.
    normalisation : mapping
        ``method`` and its parameters, as :mod:`napari_mrsynth.preprocess.normalise` understands them.
    weights_sha256 : str
        Of ``model.safetensors``; lower-case hex. Empty only before the bundle is saved.
    parameters : int
        Number of trained numbers.
    training : mapping
        How it was trained; among it ``subjects`` (list of ``{id, sha256}``), and ``parent`` where it has one.
    results : mapping
        Measured figures, with how they were measured.
    licence : str
        Of the weights.
    data_licences : tuple of str
        Of the training data, with attribution.
    citation, intended_use, limits : str
        How to cite it, what it is for, and where it fails.
    """

    id: str
    title: str
    summary: str
    system: str
    network: Mapping[str, Any] = field(hash=False)
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    spacing_mm: float
    neighbours: int
    normalisation: Mapping[str, Any] = field(hash=False)
    weights_sha256: str = ""
    parameters: int = 0
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)
    results: Mapping[str, Any] = field(default_factory=dict, hash=False)
    licence: str = ""
    data_licences: tuple[str, ...] = ()
    citation: str = ""
    intended_use: str = "Research use only; not for diagnosis."
    limits: str = ""

    def __post_init__(self) -> None:
        problem = _inconsistency(self)
        if problem:
            raise BundleError(f"The card of {self.id!r} is not usable: {problem}.", hint=_MEND)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read ``card.yaml`` of a bundle folder (or the YAML file itself).

        Raises
        ------
        BundleError
            If there is no card, it is not YAML, or it has unknown, missing or ill-typed keys.
        """
        path = Path(folder)
        path = path / CARD_FILE if path.is_dir() else path
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(
                f"There is no readable card at {path}: {error}.",
                hint=f"A bundle is a folder with {CARD_FILE} and {WEIGHTS_FILE}.",
            ) from error
        return cls.from_yaml(text, where=str(path))

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "the card") -> Self:
        """Parse a card; `where` names it in errors."""
        try:
            data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506  (a SafeLoader that refuses duplicates)
        except yaml.YAMLError as error:
            raise BundleError(f"{where} is not valid YAML: {error}.", hint="Restore the file.") from error
        if not isinstance(data, dict):
            raise BundleError(f"{where} holds {_kind(data)}, not a card.", hint="Restore the file.")
        return cls.from_mapping(data, where=where)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, where: str = "the card") -> Self:
        """Check plain data key by key and make a card of it (errors as for :meth:`load`)."""
        for key in data:
            if key not in _READERS:
                near = get_close_matches(str(key), _READERS, n=2)
                hint = f"Did you mean {' or '.join(near)}?" if near else f"Known keys: {', '.join(_READERS)}."
                raise BundleError(f"{where} has an unknown key {key!r}.", hint=hint)
        missing = [name for name in _REQUIRED if name not in data]
        if missing:
            raise BundleError(f"{where} lacks {', '.join(missing)}.", hint="Add what is missing.")
        values: dict[str, Any] = {}
        for key, value in data.items():
            try:
                values[key] = _READERS[key](value)
            except _IllTypedError as error:
                raise BundleError(
                    f"{where}: {key} is {_kind(value)} ({_shorten(value)}), it should be {error}.",
                    hint=_MEND,
                ) from error
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON-able data in the card's order."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def to_yaml(self) -> str:
        """Write the card as YAML; :meth:`from_yaml` gives it back."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, allow_unicode=True, width=100)

    def explain(self, inputs: Iterable[str], wanted: Iterable[str]) -> str | None:
        """Say why `wanted` cannot be made from `inputs`, or return None where it can.

        >>> card.explain(["T1w"], ["FLAIR"])
        'FLAIR cannot be made by this model: it makes T1w, T2w.'
        """
        inputs, wanted = list(inputs), list(wanted)
        reads, makes = ", ".join(self.inputs), ", ".join(self.outputs)
        if not wanted:
            return f"Nothing is asked for: this model makes {makes}."
        if not inputs:
            return f"No input is switched on: this model needs at least one of {reads}."
        unread = [name for name in inputs if name not in self.inputs]
        if unread:
            return f"{', '.join(unread)} cannot be read by this model: it reads {reads}."
        unmade = [name for name in wanted if name not in self.outputs]
        if unmade:
            return f"{', '.join(unmade)} cannot be made by this model: it makes {makes}."
        both = [name for name in wanted if name in inputs]
        if both:
            return f"{', '.join(both)} is switched on as an input: switch it off to have it made."
        return None


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML came with it, which takes a tenth of the time."""


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """A safe loader that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


class _IllTypedError(Exception):
    """A value of the wrong type; its text says what it should be."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _IllTypedError("text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _IllTypedError("a whole number, 0 or more")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _IllTypedError("a list of texts")
    return tuple(value)


def _size(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _IllTypedError("a voxel size in mm")
    return float(value)


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _IllTypedError("a mapping of names to values")
    return dict(value)


_READERS: dict[str, Callable[[object], Any]] = {
    "id": _text,
    "title": _text,
    "summary": _text,
    "system": _text,
    "network": _mapping,
    "inputs": _names,
    "outputs": _names,
    "spacing_mm": _size,
    "neighbours": _whole,
    "normalisation": _mapping,
    "weights_sha256": _text,
    "parameters": _whole,
    "training": _mapping,
    "results": _mapping,
    "licence": _text,
    "data_licences": _names,
    "citation": _text,
    "intended_use": _text,
    "limits": _text,
}
_REQUIRED = tuple(_READERS)[:12]


def _inconsistency(card: Card) -> str | None:
    """Say what does not fit together in a card, or None."""
    if not is_id(card.id):
        return "its id has other characters than letters, digits, '.', '_' and '-'"
    for what, names in (("inputs", card.inputs), ("outputs", card.outputs)):
        if not names:
            return f"it has no {what}"
        if len(set(names)) != len(names):
            return f"its {what} name a contrast twice ({', '.join(names)})"
    if not isinstance(card.network.get("name"), str):
        return "its network has no name"
    if not isinstance(card.normalisation.get("method"), str):
        return "its normalisation has no method"
    if not 0 < card.spacing_mm < 100:
        return f"its spacing is {card.spacing_mm} mm"
    if card.weights_sha256 and not _SHA256.fullmatch(card.weights_sha256):
        return f"its weights_sha256 {_shorten(card.weights_sha256)} is not 64 lower-case hex digits"
    subjects = card.training.get("subjects", [])
    if not isinstance(subjects, list | tuple) or not all(
        isinstance(subject, Mapping) and {"id", "sha256"} <= set(subject) for subject in subjects
    ):
        return "its training subjects are not a list of {id, sha256}"
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing", bool: "yes/no"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
