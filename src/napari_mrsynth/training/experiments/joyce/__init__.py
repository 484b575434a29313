"""The tables of Joyce et al. 2017, made again: published figures beside measured ones."""
