"""Configurations: every key and type checked before anything runs; the committed ones load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import napari_mrsynth.systems.anysubset as anysubset
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.config import load_config

CONFIGS = Path(anysubset.__file__).parent / "configs"
MINIMAL = "system: anysubset\ndata: {root: scans}\nnetwork: {name: anysubset}\n"


@pytest.fixture
def config_file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_committed_configurations_load_and_build():
    from napari_mrsynth.networks.registry import build

    for path in sorted(CONFIGS.glob("*.yaml")):
        config = load_config(path)
        params = {key: value for key, value in config.network.items() if key != "name"}
        assert build(config.network["name"], params).outputs == tuple(config.network["outputs"])


def test_a_configuration_builds_in_a_process_that_has_imported_nothing_yet():
    program = (
        "from napari_mrsynth.training.config import load_config\n"
        "from napari_mrsynth.training.registry import training_system\n"
        f"training_system(load_config({str(CONFIGS / 'paper-brats.yaml')!r}), [1.0] * 4)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_override_reaches_a_nested_setting_with_its_type(config_file):
    config = load_config(
        config_file(MINIMAL), ["optim.steps=7", "optim.lr=1e-4", "data.contrasts=[CT, T1w]", "seed=3"]
    )
    assert (config.optim.steps, config.optim.lr, config.seed) == (7, 1e-4, 3)
    assert config.data.contrasts == ("CT", "T1w")


def test_a_text_is_emptied_by_an_override_whose_quotes_the_shell_took(config_file):
    given = MINIMAL.replace("root: scans", "root: scans, only: tumour/*")
    for override in ("data.only=", "data.only= ", 'data.only=""'):
        assert load_config(config_file(given), [override]).data.only == ""
    with pytest.raises(ConfigError, match=r"'optim\.steps' is ''.*whole number"):
        load_config(config_file(given), ["optim.steps="])


@pytest.mark.parametrize(
    ("text", "overrides", "says"),
    [
        (MINIMAL + "optim: {stps: 3}\n", [], r"'optim.stps'.*steps"),
        (MINIMAL + "optim: {steps: many}\n", [], r"'optim.steps' is 'many'.*whole number"),
        (MINIMAL + "optim: {cosine: 1}\n", [], r"'optim.cosine' is 1.*true or false"),
        (MINIMAL + "optim: {batch: true}\n", [], r"'optim.batch' is True"),
        (MINIMAL + "optim: 3\n", [], r"'optim' is 3"),
        (MINIMAL, ["optim.steps"], r"'optim.steps' is not of the form"),
        (MINIMAL, ["seed.x.y=1", "seed.x=2"], r"'seed'"),
        (MINIMAL, ["data.held_out=[001]"], r"'data.held_out' is 1; it should be text.*between quotes"),
        (MINIMAL, ["data.contrasts=T1w"], r"'data.contrasts' is 'T1w'.*list"),
        ("system: anysubset\n", [], "'data' is missing"),
        ("[1, 2]", [], "not a mapping"),
        ("a: [", [], "cannot be read"),
        (MINIMAL, ["optim.steps=0"], r"optim\.steps is 0.*1 or more"),
        (MINIMAL, ["optim.lr=.nan"], r"optim\.lr is nan"),
        (MINIMAL, ["run.log_every=-5"], r"run\.log_every is -5"),
        (MINIMAL, ["augment.flip=1.5"], r"augment\.flip is 1\.5.*probability"),
        (MINIMAL, ["augment.artefacts.motion=-0.1"], r"augment\.artefacts\.motion is -0\.1"),
        (MINIMAL, ["augment.artefacts={blur: 1}"], r"'augment\.artefacts\.blur'.*Known settings"),
        (MINIMAL, ["optim.ema=1.0"], r"optim\.ema is 1\.0"),
        (MINIMAL, ["optim.lr=.inf"], r"optim\.lr is inf"),
        (MINIMAL, ["augment.zoom=1.5"], r"augment\.zoom is 1\.5.*less than 1"),
        (MINIMAL, ["augment.artefacts.noise_std=-1"], r"noise_std is -1"),
        (MINIMAL, ["seed=-1"], r"seed is -1"),
        (MINIMAL, ["seed=4294967296"], r"seed is 4294967296"),
        (MINIMAL, ["optim.precision=bf16-mix"], r"optim\.precision is 'bf16-mix'.*Did you mean bf16-mixed"),
        (MINIMAL, ["run.accelerator=gpux"], r"run\.accelerator is 'gpux'.*Did you mean gpu"),
        (MINIMAL, ["data.normalisation=foreground"], r"normalisation is 'foreground'.*foreground-mean"),
        (MINIMAL, ["data.normalisation=foreground-zscore"], r"Choose foreground-mean, volume-mean"),
        (MINIMAL, ["data.contrasts=[]"], r"data\.contrasts is empty"),
        (MINIMAL, ["data.contrasts=[T1w, T1w]"], r"lists T1w twice"),
        (MINIMAL, ["data.contrasts=[T1, T2w]"], r"lists 'T1', which is called T1w here"),
        (MINIMAL, ["card.id=my model"], r"card\.id is 'my model'"),
        (MINIMAL, ["data.spacing_mm=0"], r"data\.spacing_mm is 0"),
        (MINIMAL, ["validation.patience=3"], r"nothing is checked.*validation\.every"),
        (MINIMAL, ["optim.freeze_norms=true"], r"no start whose statistics.*Set start"),
        (MINIMAL, ["validation.every=10"], r"nobody is held out.*data\.held_out"),
    ],
)
def test_a_wrong_configuration_is_refused_naming_the_setting(config_file, text, overrides, says):
    with pytest.raises(ConfigError, match=says):
        load_config(config_file(text), overrides)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")
