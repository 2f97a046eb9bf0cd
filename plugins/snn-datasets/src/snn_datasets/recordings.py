"""Recordings of sound as signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snn_kernel import DataError, Fault

RATE_HZ = 16000
BITS = 16


def read(path: Path, signal: NDArray[np.float32]) -> None:
    """Writes wav file `path`, 16 bits in one channel at 16 kHz, to `signal` [L] of zeros.

    Values are in [-1, 1): the integers divided by 2¹⁵. What is beyond L is cut; what is shorter
    leaves zeros at the end. DataError for any other form, and for a file that is damaged or empty.
    """
    import wave

    try:
        with wave.open(str(path)) as file:
            form = (file.getsampwidth() * 8, file.getnchannels(), file.getframerate())
            count = min(file.getnframes(), len(signal))
            data = file.readframes(count)
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        what = f"is no wav file of plain samples (PCM): {str(error) or 'it ends too early'}"
        raise DataError(Fault(str(path), what)) from None
    if form != (BITS, 1, RATE_HZ):
        what = "has {} bits in {} channel(s) at {} Hz".format(*form)
        raise DataError(Fault(str(path), f"{what}, not {BITS} bits in one channel at {RATE_HZ} Hz"))
    if not count:
        raise DataError(Fault(str(path), "holds no sound"))
    if len(data) != count * BITS // 8:
        what = f"ends after {len(data) // 2} of {count} samples"
        raise DataError(Fault(str(path), what, hint="fetch it again"))
    np.divide(np.frombuffer(data, np.int16), np.float32(1 << 15), out=signal[:count])
