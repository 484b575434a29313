"""Synthesis: a request on a study, run by an engine that keeps what it encoded (torch only while it runs)."""

from napari_mrsynth.synthesis.device import DevicePlan, choose
from napari_mrsynth.synthesis.engine import Engine
from napari_mrsynth.synthesis.request import Request
from napari_mrsynth.synthesis.result import Result, Step

__all__ = ["DevicePlan", "Engine", "Request", "Result", "Step", "choose"]
