"""Where the recorded numbers lie."""

import os
from pathlib import Path

_SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[2] / ".." / "shared"))
GOLDEN = Path(os.environ.get("SNNK_GOLDEN", _SHARED / "golden"))
