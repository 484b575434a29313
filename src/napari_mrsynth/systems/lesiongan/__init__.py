"""Lesion-conditional generation after Qu et al. 2020: random anatomy, then contrasts with painted lesions."""
