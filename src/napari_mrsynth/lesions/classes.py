"""What the numbers in a lesion map mean, disease by disease: names, colours, other conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.io.naming import BRATS_2021, BRATS_2023


@dataclass(frozen=True)
class LesionClass:
    """One class of lesion tissue.

    Attributes
    ----------
    value : int
        Its number in label maps.
    name : str
    colour : str
        ``#rrggbb``; the colours of one disease can be told apart by people with red-green blindness.
    """

    value: int
    name: str
    colour: str


@dataclass(frozen=True)
class LabelSet:
    """The classes of one disease.

    Attributes
    ----------
    id, title : str
    classes : tuple of LesionClass
        By ascending number.
    elsewhere : mapping of int to int
        Numbers that another convention uses, to ours.
    convention : str
        What that other convention is called.
    """

    id: str
    title: str
    classes: tuple[LesionClass, ...]
    elsewhere: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    convention: str = ""

    @property
    def names(self) -> dict[int, str]:
        """Names by number."""
        return {each.value: each.name for each in self.classes}

    @property
    def values(self) -> frozenset[int]:
        """The numbers, background left out."""
        return frozenset(each.value for each in self.classes)

    def described(self) -> str:
        """Return the classes in words: ``1 necrotic core, 2 oedema, 4 enhancing tumour``."""
        return ", ".join(f"{each.value} {each.name}" for each in self.classes)


_TUMOUR_COLOURS = {1: "#d7263d", 2: "#3f88c5", 4: "#f4d35e"}

TUMOUR = LabelSet(
    "tumour",
    "Tumour (glioma)",
    tuple(LesionClass(value, name, _TUMOUR_COLOURS[value]) for value, name in BRATS_2021.items()),
    MappingProxyType(
        {
            theirs: ours
            for theirs, name in BRATS_2023.items()
            for ours, same in BRATS_2021.items()
            if name == same and theirs != ours
        }
    ),
    "BraTS 2023",
)
"""Numbered as in BraTS 2021; BraTS 2023 numbers enhancing tumour 3."""

MS = LabelSet("ms", "Multiple sclerosis", (LesionClass(1, "MS lesion", "#f4a261"),))
STROKE = LabelSet("stroke", "Stroke", (LesionClass(1, "stroke lesion", "#c77dff"),))

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType({each.id: each for each in (TUMOUR, MS, STROKE)})


def label_set(name: str) -> LabelSet:
    """Return the classes of a disease by its id.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    found = LABEL_SETS.get(name.lower())
    if found is None:
        raise ConfigError(f"There is no disease {name!r}.", hint=f"Choose {', '.join(LABEL_SETS)}.")
    return found
