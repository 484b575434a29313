"""A card is read strictly, written back the same, and explains itself."""

from __future__ import annotations

import pytest
import yaml

from bundles.cards import a_card
from napari_mrsynth.bundles import Card, render_readme
from napari_mrsynth.errors import BundleError


def test_a_card_survives_yaml_unchanged() -> None:
    card = a_card()
    again = Card.from_yaml(card.to_yaml())
    assert again.as_dict() == card.as_dict()
    assert again.inputs == ("T1w", "T2w", "FLAIR")
    assert hash(again) == hash(card)


@pytest.mark.parametrize(
    ("inputs", "wanted", "says"),
    [
        ((), ("T1w",), "No input is switched on"),
        (("T1w",), (), "Nothing is asked for"),
        (("T1w",), ("FLAIR",), "FLAIR cannot be made by this model: it makes T1w, T2w."),
        (("PDw", "T2w"), ("T1w",), "PDw cannot be read by this model: it reads T1w, T2w, FLAIR."),
        (("T1w", "T2w"), ("T1w",), "T1w is switched on as an input"),
    ],
)
def test_a_card_says_why_something_cannot_be_made(
    inputs: tuple[str, ...], wanted: tuple[str, ...], says: str
) -> None:
    assert says in str(a_card().explain(inputs, wanted))


def test_every_subset_that_can_be_used_is_not_explained_away() -> None:
    card = a_card()
    assert card.explain(["T1w"], ["T2w"]) is None
    assert card.explain(["FLAIR", "T1w"], ["T2w"]) is None
    assert card.explain(["FLAIR"], ["T1w", "T2w"]) is None


def _broken(**changes: object) -> str:
    data = a_card().as_dict()
    for key, value in changes.items():
        if value is None:
            data.pop(key)
        else:
            data[key] = value
    return yaml.safe_dump(data)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_broken(weigths_sha256="x"), "Did you mean weights_sha256"),
        (_broken(inputs=None), "lacks inputs"),
        (_broken(neighbours="one"), "neighbours is text ('one'), it should be a whole number"),
        (_broken(neighbours=True), "neighbours is yes/no"),
        (_broken(inputs="T1w"), "inputs is text"),
        (_broken(inputs=["T1w", 3]), "a list of texts"),
        (_broken(inputs=[]), "it has no inputs"),
        (_broken(outputs=["T1w", "T1w"]), "name a contrast twice"),
        (_broken(spacing_mm=[1, 1, 1]), "a voxel size in mm"),
        (_broken(spacing_mm=0), "its spacing is 0.0 mm"),
        (_broken(network={"latent": 2}), "its network has no name"),
        (_broken(network="anysubset"), "network is text"),
        (_broken(normalisation={"scale": 1}), "its normalisation has no method"),
        (_broken(weights_sha256="abc"), "not 64 lower-case hex digits"),
        (_broken(id="../evil"), "its id has other characters"),
        (_broken(training={"subjects": [{"id": "a"}]}), "its training subjects"),
        ("- a\n- b\n", "holds a list, not a card"),
        ("", "holds nothing, not a card"),
        ("id: [unclosed", "is not valid YAML"),
        ("id: a\nid: b\n", "given twice"),
        ("id: !!python/object/apply:os.system ['true']\n", "is not valid YAML"),
    ],
)
def test_a_damaged_card_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(BundleError) as caught:
        Card.from_yaml(text)
    assert says in str(caught.value)


def test_a_missing_card_names_the_place(tmp_path) -> None:
    with pytest.raises(BundleError, match=r"no readable card at .*card\.yaml"):
        Card.load(tmp_path)


def test_the_readme_tells_what_the_card_tells() -> None:
    text = render_readme(a_card(weights_sha256="a" * 64, parameters=12345))
    for part in (
        "# A tiny model",
        "12,345",
        "not for diagnosis",
        "| T1w | 0.1235 | 0.9 |",
        "Fails on children.",
    ):
        assert part in text
    assert "a" * 64 in text
    assert "How to cite" not in text  # this card has no citation
