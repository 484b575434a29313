"""Scans with painted lesions: registered contrasts from a structural feature map and a lesion label."""
