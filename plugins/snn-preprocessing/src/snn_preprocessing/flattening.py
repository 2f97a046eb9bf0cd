"""Pictures as signals."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from snn_kernel import Context, DataError, Events, Fault, Samples, Splits

LAYOUTS = ("NHWC", "NTHWC")


@frozen
class Reshape2DTo1D:
    """Lines up the rows of pictures, so that layers of one dimension take them.

    [N, H, W, C] becomes [N, H·W, C] (layout NHWC to NLC), and with timesteps in the data
    [N, T, H, W, C] becomes [N, T, H·W, C] (NTHWC to NTLC): pixel (h, w) goes to position h·W + w,
    its channels stay together. It has no params.
    """

    def apply(self, splits: Splits, context: Context) -> Splits:
        """Samples in NLC or NTLC for every set; labels stay.

        DataError for events and for samples without two dimensions, of all sets at once.
        """
        made: dict[str, Any] = {}
        faults: list[Fault] = []
        for name in ("train", "valid", "test"):
            found: Samples | Events | None = getattr(splits, name)
            if isinstance(found, Samples) and found.layout in LAYOUTS:
                made[name] = _flat(found)
            elif found is not None:
                faults.append(_fault(name, found))
        if faults:
            raise DataError(*faults)
        return evolve(splits, **made)


def _flat(samples: Samples) -> Samples:
    *front, height, width, channels = samples.x.shape
    layout: Any = samples.layout.replace("HW", "L")
    return evolve(samples, x=samples.x.reshape(*front, height * width, channels), layout=layout)


def _fault(name: str, found: Samples | Events) -> Fault:
    if isinstance(found, Events):
        what, hint = "still holds events", "a preprocessing that makes frames comes before this one"
    else:
        what = f"is {found.layout}, not {' or '.join(LAYOUTS)}"
        hint = "leave this step out" if "L" in found.layout else ""
    return Fault(f"{name} set", what, "Reshape2DTo1D", hint)
