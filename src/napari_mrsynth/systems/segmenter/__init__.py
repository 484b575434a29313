"""Lesion segmentation: a small U-Net on any contrasts and classes, which also judges synthetic lesions."""
