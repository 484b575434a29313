"""Structural feature maps: a scan's edges as a 0/1 image, the brain mask that goes with them, their filter.

After Qu et al. 2020, algorithms 1 to 3. There is one implementation, in torch (:mod:`.maps`): the preview,
the saved file and the training loss get the same bits from it. Importing this package imports no torch.
"""

from napari_mrsynth.structure.settings import DEFAULT_BETA, StructureSettings, default_beta
from napari_mrsynth.structure.volume import StructureMap, map_plane, map_volume

__all__ = ["DEFAULT_BETA", "StructureMap", "StructureSettings", "default_beta", "map_plane", "map_volume"]
