import sys
from pathlib import Path

HERE = Path(__file__).parent
# In every import mode: engine_networks.py, and the kernel's quantised_documents.py.
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "kernel" / "tests")]
