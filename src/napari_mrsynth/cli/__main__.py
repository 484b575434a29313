"""``python -m napari_mrsynth.cli`` is ``mrsynth``."""

import sys

from napari_mrsynth.cli import main

sys.exit(main())
