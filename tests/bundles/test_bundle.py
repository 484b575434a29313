"""A bundle is written whole or not at all, and only read when it is what its card says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bundles.cards import a_bundle, a_card, a_state
from napari_mrsynth.bundles import Bundle, require_network, save_bundle
from napari_mrsynth.errors import BundleError, OutputError


def test_tensors_come_back_as_saved(tmp_path: Path) -> None:
    bundle = Bundle.open(a_bundle(tmp_path).folder)
    assert bundle.card.parameters == 9
    assert len(bundle.card.weights_sha256) == 64
    for name, tensor in a_state().items():
        torch.testing.assert_close(bundle.state()[name], tensor)
    assert {item.name for item in bundle.folder.iterdir()} == {"card.yaml", "model.safetensors", "README.md"}


def test_one_flipped_bit_is_noticed_before_any_tensor_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = a_bundle(tmp_path)
    weights = bundle.folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr("safetensors.torch.load", lambda _: pytest.fail("unverified tensors were read"))
    with pytest.raises(BundleError, match="damaged or not the file its card speaks of"):
        bundle.state()


def test_truncated_missing_and_unvouched_weights_are_refused(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    weights = bundle.folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:20])
    with pytest.raises(BundleError, match="damaged"):
        bundle.state()
    weights.unlink()
    with pytest.raises(BundleError, match=r"has no model\.safetensors"):
        bundle.state()
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="gives no sha256"):
        Bundle(a_card(), bundle.folder).state()


def test_a_file_that_is_not_safetensors_is_refused_even_with_the_right_sha256(tmp_path: Path) -> None:
    import hashlib

    bundle = a_bundle(tmp_path)
    (bundle.folder / "model.safetensors").write_bytes(b"not tensors")
    card = a_card(weights_sha256=hashlib.sha256(b"not tensors").hexdigest())
    with pytest.raises(BundleError, match="not a safetensors file"):
        Bundle(card, bundle.folder).state()


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"a": Trap()}, tmp_path / "model.pt")
    with pytest.raises(BundleError, match=r"model\.pt is a pickled weights file.*hidden in it"):
        Bundle.open(tmp_path / "model.pt")
    bundle = a_bundle(tmp_path)
    (bundle.folder / "model.safetensors").unlink()
    (tmp_path / "model.pt").rename(bundle.folder / "model.pt")
    with pytest.raises(BundleError, match=r"model\.pt beside it is pickled and never loaded"):
        bundle.state()
    assert not (tmp_path / "sprung").exists()


def test_an_unknown_network_names_the_known_ones() -> None:
    require_network(a_card(), ["anysubset"])
    with pytest.raises(BundleError, match=r"'anysubsett'.*Did you mean anysubset\?.*Known: anysubset, other"):
        require_network(a_card(network={"name": "anysubsett"}), ["other", "anysubset"])


def test_saving_again_replaces_the_bundle(tmp_path: Path) -> None:
    first = a_bundle(tmp_path)
    second = save_bundle(first.folder, a_card(title="Second"), a_state(seed=1))
    assert Bundle.open(first.folder).card.title == "Second"
    assert second.card.weights_sha256 != first.card.weights_sha256
    second.state()
    assert [item.name for item in tmp_path.iterdir()] == ["tiny"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(OutputError, match="something else than a bundle"):
        save_bundle(tmp_path, a_card(), a_state())
    assert [item.name for item in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_failed_save_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = a_bundle(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        save_bundle(old.folder, a_card(title="New"), a_state(seed=1))
    monkeypatch.undo()
    assert Bundle.open(old.folder).card == old.card
    old.state()
    assert [item.name for item in tmp_path.iterdir()] == ["tiny"]


def test_only_tensors_are_saved(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="Only tensors"):
        save_bundle(tmp_path / "x", a_card(), {"a": [1, 2]})  # type: ignore[dict-item]
    assert not (tmp_path / "x").exists()
