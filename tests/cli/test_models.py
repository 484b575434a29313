"""``mrsynth models`` lists, shows and verifies what is there, damaged ones included."""

from __future__ import annotations

from bad.models import with_weights


def test_models_are_listed_with_their_folder(mrsynth, tiny):
    (model,) = mrsynth("models", "list", "--json").answer["models"]
    assert (model["id"], model["folder"]) == ("tiny", str(tiny))
    assert model["inputs"] == ["T1w", "T1ce", "T2w", "FLAIR"]
    assert "tiny" in mrsynth("models", "list").out


def test_a_damaged_card_is_named_and_hides_nothing(mrsynth, tiny):
    broken = tiny.parent / "broken"
    broken.mkdir()
    (broken / "card.yaml").write_text("id: [")
    answer = mrsynth("models", "list", "--json").answer
    assert [model["id"] for model in answer["models"]] == ["tiny"]
    assert [problem["folder"] for problem in answer["problems"]] == [str(broken)]
    assert mrsynth("models", "verify", "--json").code == 2


def test_a_card_is_shown(mrsynth, tiny):
    card = mrsynth("models", "show", "tiny", "--json").answer
    assert card["id"] == "tiny"
    assert len(card["weights_sha256"]) == 64
    assert "weights_sha256:" in mrsynth("models", "show", "tiny").out


def test_an_unknown_model_exits_with_2_and_names_the_nearest(mrsynth, tiny):
    ended = mrsynth("models", "show", "tinny", "--json")
    assert ended.code == 2
    assert "tiny" in ended.answer["error"]["hint"]


def test_sound_weights_are_verified(mrsynth, tiny):
    ended = mrsynth("models", "verify", "--json")
    assert ended.code == 0
    assert ended.answer == {"ok": True, "models": [{"id": "tiny", "ok": True, "problems": []}]}


def test_other_weights_than_the_card_says_exit_with_2(mrsynth, tiny, tmp_path):
    content = bytearray((tiny / "model.safetensors").read_bytes())
    content[-1] ^= 1
    with_weights(tmp_path, bytes(content))
    ended = mrsynth("models", "verify", "tiny", "--json")
    assert ended.code == 2
    assert "sha256" in ended.answer["models"][0]["problems"][0]
    assert mrsynth("models", "verify", "tiny").code == 2
