"""What a scan is: geometry, volumes, contrasts and the study that holds them (numpy only)."""

from napari_mrsynth.imaging.geometry import Affine, Grid
from napari_mrsynth.imaging.study import BrainMask, Member, Rigid, Study
from napari_mrsynth.imaging.volume import LabelVolume, Source, Volume

__all__ = ["Affine", "BrainMask", "Grid", "LabelVolume", "Member", "Rigid", "Source", "Study", "Volume"]
