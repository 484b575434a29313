"""Sound patients and models, asked for what cannot be: the wrong words on the command line, the wrong disk."""
# ruff: noqa: E501  (a table: one bad input a line)

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bad import scans
from bad.models import tiny_model
from bad.row import OUT, Make, Refused, synthesize
from bad.scans import patient, scan


def refusing(call: str, number: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Let an operating-system call fail from now on, as on a full or read-only disk."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return lambda patch: patch.setattr(os, call, refuse)


def without_gpu(patch: pytest.MonkeyPatch) -> None:
    import torch

    patch.setattr(torch.cuda, "is_available", lambda: False)
    patch.setattr(torch.backends.mps, "is_available", lambda: False)


def file_in_the_way(folder: Path) -> str:
    scans.content(folder / "results", b"a file")
    return str(folder / "results")


def without_model(folder: Path) -> list[object]:
    return ["synthesize", patient(folder), "--want", "T1ce", "--out", OUT]


def far_apart(folder: Path) -> list[object]:
    tiny_model(folder)
    return ["synthesize", scans.far_away(folder), "--want", "FLAIR", "--out", OUT]


def blank_where_the_brain_is(folder: Path) -> list[object]:
    """A T1w that is zero all over the mask that is given."""
    tiny_model(folder)
    mask = scans.labels(folder, "mask.nii.gz")
    return ["synthesize", scans.blank_inside(folder), "--want", "FLAIR", "--mask", mask, "--out", OUT]


SOUND_CONFIG = (
    "system: anysubset\nnetwork: {name: anysubset, inputs: [T1w], outputs: [T2w]}\ndata: {root: nowhere}\n"
)


def config(text: str) -> Make:
    """``mrsynth train`` with this configuration."""
    return lambda folder: ["train", scans.content(folder / "config.yaml", text.encode())]


def evaluate(first: Callable[[Path], Path], second: Callable[[Path], Path]) -> Make:
    """``mrsynth evaluate`` with what two functions write."""
    return lambda folder: ["evaluate", "--pred", first(folder), "--truth", second(folder)]


def run_folder_is_a_file(folder: Path) -> list[object]:
    patient(folder)
    file_in_the_way(folder)
    text = SOUND_CONFIG.replace("nowhere", str(folder)) + "run: {folder: results}\n"
    return ["train", scans.content(folder / "config.yaml", text.encode())]


REFUSED = [
    Refused("no path", lambda folder: ["study"], "UsageError", ("PATH",), "--help"),
    Refused("an unknown subcommand", lambda folder: ["synthesise"], "UsageError", ("synthesise",), "--help"),
    Refused("an unknown option", synthesize("--colour", "red"), "UsageError", ("--colour",), "--help"),
    Refused(
        "nothing wanted",
        lambda folder: ["synthesize", patient(folder)],
        "UsageError",
        ("--want",),
        "--help",
    ),
    Refused("an empty --want", synthesize(want=" , "), "ContrastError", ("--want", "' , '"), "--want FLAIR"),
    Refused("a contrast no model makes", synthesize(want="CT"), "BundleError", ("CT", "T1w, T1ce"), "what to make"),
    Refused("a contrast misspelt", synthesize(want="FLIAR"), "BundleError", ("FLIAR",), "what to make"),
    Refused("an empty --use", synthesize("--use", ""), "ContrastError", ("--use",), "--use FLAIR"),
    Refused("an input that is not there", synthesize("--use", "T1ce"), "ContrastError", ("T1ce", "T1w, T2w"), "study"),
    Refused("an input no model reads", synthesize("--use", "PDw", contrasts=("T1w", "PDw")), "BundleError", ("PDw",), "inputs"),
    Refused("an input that is wanted", synthesize("--use", "T1w,T2w", want="T2w"), "BundleError", ("T2w", "switch it off"), "inputs"),
    Refused("no input left", synthesize(contrasts=("FLAIR",)), "BundleError", ("No input",), "inputs"),
    Refused("an unknown model", synthesize("--bundle", "tinny"), "BundleError", ("tinny",), "Did you mean tiny"),
    Refused("no model at all", without_model, "BundleError", ("no model here", "models"), "MRSYNTH_MODELS"),
    Refused("an unknown device", synthesize("--device", "abacus"), "UsageError", ("abacus", "cuda"), "--help"),
    Refused("no GPU", synthesize("--device", "cuda"), "DeviceError", ("CUDA",), "cpu or auto", without_gpu),
    Refused("no Apple GPU", synthesize("--device", "mps"), "DeviceError", ("Apple",), "cpu or auto", without_gpu),
    Refused("an unknown precision", synthesize("--precision", "fp8"), "UsageError", ("fp8", "bf16"), "--help"),
    Refused("half precision on a processor", synthesize("--device", "cpu", "--precision", "fp16"), "DeviceError", ("fp16",), "fp32"),
    Refused("a reference that is not there", synthesize("--reference", "DWI"), "ContrastError", ("DWI", "T1w, T2w"), "study"),
    Refused("a missing mask", synthesize("--mask", "absent.nii.gz"), "FormatError", ("absent.nii.gz",), "spelling"),
    Refused("a mask that is a scan", synthesize("--mask", scans.scan_of_parts), "LabelError", ("whole numbers",), "scan"),
    Refused("a mask that is a scan of whole numbers", synthesize("--mask", scans.whole_numbered_scan), "LabelError", ("head.nii.gz", "different values"), "label map"),
    Refused("an empty mask", synthesize("--mask", scans.empty_mask), "LabelError", ("brainmask", "empty"), "Paint the brain"),
    Refused("a mask from another head", synthesize("--mask", scans.mask_far_away), "GridError", ("mask", "1000000 mm apart"), "this patient"),
    Refused("a scan that is zero inside the mask", blank_where_the_brain_is, "LabelError", ("mask", "misses the brain"), "belongs to this patient"),
    Refused("scans a kilometre apart", far_apart, "GridError", ("T2w", "T1w", "1000000 mm apart"), "Check both headers"),
    Refused("a file where the results go", synthesize("--out", file_in_the_way), "OutputError", ("results",), "--out"),
    Refused("a full disk", synthesize(), "OutputError", ("FLAIR", "No space left"), "free some space", refusing("fsync", errno.ENOSPC)),
    Refused("a read-only disk", synthesize(), "OutputError", ("FLAIR", "Read-only"), "another folder", refusing("replace", errno.EROFS)),
    Refused("a folder that may not be written", synthesize(), "OutputError", ("out", "read-only"), "--out", lambda patch: patch.setattr(os, "access", lambda *_: False)),
    Refused("a missing prediction", evaluate(lambda f: f / "absent.nii", scan), "FormatError", ("absent.nii",), "spelling"),
    Refused("labels as the prediction", evaluate(scans.labels, lambda f: scan(f, "truth.nii.gz")), "FormatError", ("T1w.nii.gz", "label map"), "lesions"),
    Refused("a truth from elsewhere", evaluate(scan, scans.scan_far_away), "GridError", ("field of view",), "one patient"),
    Refused("a missing configuration", lambda f: ["train", f / "absent.yaml"], "ConfigError", ("absent.yaml",), "YAML"),
    Refused("a configuration that is no YAML", config("system: [any"), "ConfigError", ("config.yaml",), "YAML"),
    Refused("a configuration of one word", config("anysubset"), "ConfigError", ("config.yaml",), "YAML"),
    Refused("a setting misspelt", config(SOUND_CONFIG + "optim: {stpes: 5}\n"), "ConfigError", ("optim.stpes",), "steps"),
    Refused("a setting of the wrong type", config(SOUND_CONFIG + "optim: {steps: many}\n"), "ConfigError", ("optim.steps", "many", "whole number"), "config"),
    Refused("an unknown system to train", config(SOUND_CONFIG.replace("anysubset\n", "oracle\n", 1)), "ConfigError", ("oracle",), "anysubset"),
    Refused("a run folder that is a file", run_folder_is_a_file, "OutputError", ("results", "File exists"), "run.folder"),
    Refused("no training data", config(SOUND_CONFIG), "InputError", ("nowhere",), "data.root"),
]  # fmt: skip
