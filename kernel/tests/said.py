"""What the command says, on both streams or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Said = Callable[..., tuple[int, str, str]]
Struck = Callable[[BaseException], int]


def told(snnk: Said, *arguments: str) -> Any:
    """What a verb writes with --json, once it has ended well."""
    status, out, _ = snnk(*arguments, "--json", "-")
    assert status == 0
    return json.loads(out)
