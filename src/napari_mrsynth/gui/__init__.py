"""The napari side: readers, writers, samples and the Synthesis dock; all that knows Qt or napari."""
