"""``mrsynth experiment any-subset`` takes its settings like its siblings and refuses what it cannot do."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("--config", "none.yaml"), "none.yaml"),
        (("--data", "nowhere"), "nowhere"),
        (("--set", "optim.stepz=3"), "stepz"),
        (("--config", "joyce-light", "--set", "data.root=nowhere"), "nowhere"),
        (("optim.steps=3",), "optim.steps=3"),
    ],
)
def test_what_cannot_be_is_refused_with_2(mrsynth, tmp_path, arguments, quoted):
    ended = mrsynth("experiment", "any-subset", *arguments, "--folder", tmp_path / "run", "--json")
    assert ended.code == 2
    assert quoted in ended.answer["error"]["message"]
    assert not (tmp_path / "run" / "networks").exists()
