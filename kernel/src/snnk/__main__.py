"""`python -m snnk`."""

import sys

from snnk.command import main

sys.exit(main())
