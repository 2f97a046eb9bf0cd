"""What the conformance kit says of a kind that is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest


def broken(check: Any, *args: Any, **given: Any) -> dict[str, str]:
    """What a check finds, by the title of the check that found it."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **given)
    head, *lines = str(caught.value).splitlines()
    assert head.endswith("does not conform:")
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def tells(text: str) -> bool:
    """Whether a message is a sentence that says what is wrong and one that says what to do."""
    return bool(re.fullmatch(r".+[.] [A-Z].+[.]", text, re.DOTALL))
