"""The C ABI by ctypes: include/snn_engine.h, function by function."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_kernel import RunError

ABI_VERSION = 1
LIMIT_BYTES = (1 << 30) + (1 << 16)  # of one request, limits.zig
OK, OUT_OF_MEMORY, BAD_ARGUMENT, BUSY = range(4)
RESULTS = {
    OUT_OF_MEMORY: "out of memory",
    BAD_ARGUMENT: "bad argument",
    BUSY: "the engine is busy in another thread",
}


class EngineError(RunError):
    """The engine refused a request; the text is its own. `code` is documented in engine_abi.md."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


@cache
def library() -> Any:
    """The shared library; EngineError if it is missing or of another version."""
    folder = Path(__file__).with_name("_lib")
    names = ("libsnn_engine.so", "libsnn_engine.dylib", "snn_engine.dll")
    found = [folder / name for name in names if (folder / name).exists()]
    if not found:
        raise EngineError(f"{folder}: the engine's library is missing (reinstall snn-engine)")
    loaded = ctypes.CDLL(str(found[0]))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    loaded.snn_abi_version.argtypes, loaded.snn_abi_version.restype = [], ctypes.c_uint32
    if (version := loaded.snn_abi_version()) != ABI_VERSION:
        raise EngineError(f"{found[0]}: ABI version {version}, not {ABI_VERSION} (reinstall it)")
    request, reply = (pointer, pointer, size), (ctypes.POINTER(pointer), ctypes.POINTER(size))
    loaded.snn_open.argtypes = [ctypes.POINTER(pointer)]
    loaded.snn_call.argtypes = [*request, *reply]
    try:
        loaded.snn_call_with_frames.argtypes = [*request, pointer, size, *reply]
    except AttributeError:
        raise EngineError(f"{found[0]}: older than this package (reinstall snn-engine)") from None
    loaded.snn_close.argtypes, loaded.snn_close.restype = [pointer], None
    return loaded


class Handle:
    """One open engine. Not to be used by two threads at once: the second one is told so."""

    def __init__(self) -> None:
        self._library = library()
        handle = ctypes.c_void_p()
        _expect(self._library.snn_open(ctypes.byref(handle)))
        self._handle: ctypes.c_void_p | None = handle

    def call(
        self, request: bytes | bytearray, frames: NDArray[np.float32] | None = None
    ) -> memoryview:
        """The reply to `request`, in the engine's memory: valid until the next call or close.

        `frames` (contiguous) lie beside a request that has a nil for them: they are not copied.
        """
        if self._handle is None:
            raise EngineError("the engine is closed")
        size = len(request)
        data = (
            (ctypes.c_char * size).from_buffer(request)
            if isinstance(request, bytearray) and size
            else ctypes.c_char_p(bytes(request))
        )
        reply, length = ctypes.c_void_p(), ctypes.c_size_t()
        # Not cast: that would keep each request in memory until garbage is collected.
        asked, told = (self._handle, data, size), (ctypes.byref(reply), ctypes.byref(length))
        if frames is None:
            result = self._library.snn_call(*asked, *told)
        else:
            beside = ctypes.c_void_p(frames.ctypes.data)
            result = self._library.snn_call_with_frames(*asked, beside, frames.nbytes, *told)
        _expect(result)
        if reply.value is None:
            raise EngineError("the engine gave no reply")
        return memoryview((ctypes.c_char * length.value).from_address(reply.value)).cast("B")

    def close(self) -> None:
        """Give all memory back; a closed handle refuses every call."""
        if self._handle is not None:
            self._library.snn_close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


def _expect(result: int) -> None:
    if result != OK:
        raise EngineError(RESULTS.get(result, f"result {result}"))
