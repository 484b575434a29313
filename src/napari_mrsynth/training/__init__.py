"""The bundled training module: configs, data, augmentation, the Lightning loop, export of bundles."""
