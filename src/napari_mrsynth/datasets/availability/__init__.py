"""Whether a segmenter learns from synthetic patients: the availability experiment of Qu et al. 2020."""
