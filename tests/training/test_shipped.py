"""Configurations are found by path or by the short names of those that are shipped."""

from __future__ import annotations

import shutil

import pytest

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.shipped import called, configuration_at, shipped_configurations

SHIPPED = shipped_configurations()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_configuration_is_found_by_its_name_and_called_by_it(name):
    assert configuration_at(name) == SHIPPED[name]
    assert called(SHIPPED[name]) == name


def test_those_of_a_commands_own_system_need_no_more_than_their_bare_name():
    assert configuration_at("joyce-light", "anysubset") == SHIPPED["anysubset/joyce-light"]
    assert configuration_at("direct/dedis", "anysubset") == SHIPPED["direct/dedis"]
    assert called(SHIPPED["anysubset/joyce-light"], "anysubset") == "joyce-light"
    assert called(SHIPPED["direct/dedis"], "anysubset") == "direct/dedis"


def test_a_users_own_file_comes_first_and_is_called_by_its_file(tmp_path, monkeypatch):
    own = tmp_path / "configs" / "brain.yaml"
    own.parent.mkdir()
    shutil.copy(SHIPPED["anysubset/brain"], own)
    monkeypatch.chdir(own.parent)
    assert configuration_at("brain.yaml", "anysubset") == own
    assert called(own, "anysubset") == "brain.yaml"


@pytest.mark.parametrize(
    ("given", "system", "near"),
    [
        ("segmenter/tumor", "", "segmenter/tumour"),
        ("tumor", "segmenter", "segmenter/tumour"),
        ("configs/joyce_light.yaml", "anysubset", "anysubset/joyce-light"),
    ],
)
def test_a_wrong_name_is_quoted_and_the_nearest_is_offered(given, system, near):
    with pytest.raises(ConfigError, match=rf"{given}.*: {near}\.$"):
        configuration_at(given, system)
