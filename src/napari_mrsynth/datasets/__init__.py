"""Labelled synthetic data sets: many patients made by seed and filtered, and what they are good for.

:mod:`.build` makes them (Qu et al. 2020, section 2.8); :mod:`.verify` asks whether a segmenter learns from
them (section 3.6).
"""
