"""Where the tests find the law that they compare with."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # integer_law.py, in every import mode
