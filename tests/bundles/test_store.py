"""The store lists what is usable, says what is not, and picks a model that can do the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles.cards import a_bundle
from napari_mrsynth.bundles import BundleStore, default_roots
from napari_mrsynth.errors import BundleError


def test_a_damaged_card_does_not_hide_the_others(tmp_path: Path) -> None:
    a_bundle(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.yaml").write_text("id: [", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    store = BundleStore([tmp_path, tmp_path / "absent"])
    assert [card.id for card in store.cards()] == ["tiny"]
    assert [problem.folder.name for problem in store.problems] == ["broken"]
    with pytest.raises(BundleError, match="not valid YAML"):
        store.get("broken")
    assert "not valid YAML" in store.verify("broken")[0]


def test_the_first_root_wins(tmp_path: Path) -> None:
    a_bundle(tmp_path / "mine", title="Mine")
    a_bundle(tmp_path / "shipped", title="Shipped")
    assert [c.title for c in BundleStore([tmp_path / "mine", tmp_path / "shipped"]).cards()] == ["Mine"]


def test_an_unknown_id_names_the_nearest(tmp_path: Path) -> None:
    a_bundle(tmp_path)
    with pytest.raises(BundleError, match=r"no model 'tinny'.*Did you mean tiny\?"):
        BundleStore([tmp_path]).get("tinny")


def test_a_bundle_is_found_by_its_folder_too(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    assert BundleStore([]).get(str(bundle.folder)).card == bundle.card


def test_a_new_bundle_is_seen_after_a_refresh(tmp_path: Path) -> None:
    store = BundleStore([tmp_path])
    assert store.cards() == []
    a_bundle(tmp_path)
    store.refresh()
    assert [card.id for card in store.cards()] == ["tiny"]


def test_the_default_can_do_the_work_and_is_the_most_general(tmp_path: Path) -> None:
    a_bundle(tmp_path, id="a-narrow", outputs=("T2w",))
    a_bundle(tmp_path, id="b-wide", outputs=("T1w", "T2w", "FLAIR"))
    a_bundle(tmp_path, id="c-other", inputs=("CT",), outputs=("PDw",))
    store = BundleStore([tmp_path])
    assert store.default(["T1w"], ["T2w"]).id == "b-wide"
    assert store.default(["CT"], ["PDw"]).id == "c-other"
    with pytest.raises(BundleError, match=r"No model makes DWI from T1w.*a-narrow: DWI cannot be made"):
        store.default(["T1w"], ["DWI"])


def test_a_segmenter_is_listed_but_never_asked_for_a_scan(tmp_path: Path) -> None:
    a_bundle(tmp_path, id="lesions", system="segmenter", outputs=("T2w", "FLAIR"))
    a_bundle(tmp_path, id="tiny", outputs=("T2w",))
    store = BundleStore([tmp_path])
    assert [card.id for card in store.cards()] == ["lesions", "tiny"]
    assert [card.id for card in store.synthesisers()] == ["tiny"]
    assert store.default(["T1w"], ["T2w"]).id == "tiny"


def test_an_empty_store_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no model here"):
        BundleStore([tmp_path]).default(["T1w"], ["T2w"])


def test_verify_finds_everything_that_is_wrong(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    store = BundleStore([tmp_path])
    assert store.verify("tiny") == []
    (bundle.folder / "model.safetensors").write_bytes(b"x")
    problems = store.verify("tiny", networks=["another"])
    assert len(problems) == 2
    assert "damaged" in problems[0]
    assert "Known: another" in problems[1]


def test_a_parameter_count_that_does_not_fit_is_a_problem(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    card = bundle.folder / "card.yaml"
    card.write_text(card.read_text().replace("parameters: 9", "parameters: 8"), encoding="utf-8")
    assert BundleStore([tmp_path]).verify("tiny") == ["The card says 8 parameters, the file has 9."]


def test_the_environment_adds_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRSYNTH_MODELS", os.pathsep.join([str(tmp_path), str(tmp_path / "b")]))
    assert default_roots()[:2] == (tmp_path, tmp_path / "b")


def test_listing_does_not_import_torch(tmp_path: Path) -> None:
    a_bundle(tmp_path)
    code = (
        "import sys; from napari_mrsynth.bundles import BundleStore; "
        f"store = BundleStore([{str(tmp_path)!r}]); "
        "assert [c.id for c in store.cards()] == ['tiny'] and not store.verify('tiny'); "
        "assert store.default(['T1w'], ['T2w']).id == 'tiny'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
