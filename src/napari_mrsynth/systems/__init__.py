"""The synthesis systems: network, objective, training step and predictor of each, in folders of one shape."""

from napari_mrsynth.networks.registry import register
from napari_mrsynth.systems.predictor import Predictor, load_predictor

register("anatomy", "napari_mrsynth.systems.lesiongan.anatomy.network:AnatomyNetwork")
register("anysubset", "napari_mrsynth.systems.anysubset.network:AnySubsetNetwork")
register("anysubset-extended", "napari_mrsynth.systems.anysubset.extended:ExtendedNetwork")
register("lesion-scans", "napari_mrsynth.systems.lesiongan.scans.residual:ResidualScansNetwork")
register("lesion-scans-published", "napari_mrsynth.systems.lesiongan.scans.published:PublishedScansNetwork")
register("dedis", "napari_mrsynth.systems.direct.network:EncoderDecoder")
register("lsdn", "napari_mrsynth.systems.direct.network:LocationSensitive")
register("segmenter", "napari_mrsynth.systems.segmenter.network:SegmenterNetwork")

__all__ = ["Predictor", "load_predictor"]
