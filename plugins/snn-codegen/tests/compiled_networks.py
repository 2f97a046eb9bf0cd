"""Networks as generated C in one shared library: many for one start of a compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snn_codegen.sources import Sources
from snn_kernel.network import Network

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-pedantic")
SANITISED = ("-fsanitize=undefined", "-fno-sanitize-recover=undefined")

# What stream.c does, from memory to memory.
DRIVER = """
#define SNN_GENERIC
#include "{name}.h"
#include <string.h>

static snn_state state;
static uint8_t *written;

void snn_trace(uint32_t layer, const void *values, uint32_t bytes)
{{
    if (SNN_SPIKES(layer)) {{
        memcpy(written, values, bytes);
        written += bytes;
    }}
}}

void {name}_run(const snn_input_t *frames, uint32_t samples, uint8_t *out)
{{
    written = out;
    for (uint32_t i = 0u; i < samples; i++) {{
        snn_logit_t logits[SNN_OUTPUTS];
        snn_reset(&state);
        for (uint32_t t = 0u; t < SNN_TIMESTEPS; t++) {{
            snn_step(&state, frames + (SNN_FRAMES == 1u ? 0u : t) * SNN_INPUTS);
        }}
        snn_logits(&state, logits);
        memcpy(written, logits, sizeof logits);
        written += sizeof logits;
        frames += SNN_FRAMES * SNN_INPUTS;
    }}
}}
"""


def compiler() -> list[str]:
    """The machine's own, which starts faster, or the pinned one."""
    return ["cc"] if shutil.which("cc") else [sys.executable, "-m", "ziglang", "cc"]


class Library:
    """Networks compiled into `folder`, with the kernels `convolution`."""

    def __init__(
        self,
        networks: Sequence[Network],
        folder: Path,
        convolution: Any = "auto",
        flags: Sequence[str] = ("-O0",),
        lanes: bool = False,
    ) -> None:
        self.sources = []
        folder.mkdir(parents=True, exist_ok=True)
        for i, network in enumerate(networks):
            more = {"convolution": convolution, "traced": True, "lanes": lanes}
            made = Sources.of(network, f"n{i}", folder, **more).write()
            (folder / f"n{i}_run.c").write_text(DRIVER.format(name=made.name))
            self.sources.append(made)
        files = [str(f) for s in self.sources for f in (s.source, folder / f"{s.name}_run.c")]
        command = [*compiler(), *STRICT, "-ffp-contract=off", *flags, "-shared", "-fPIC", *files]
        library = folder / "networks.so"
        subprocess.run([*command, "-o", str(library)], check=True)
        self.library = ctypes.CDLL(str(library))

    def predict(self, index: int, x: Any) -> Any:
        """What network `index` makes of samples [N, C, …], or [N, T, C, …]."""
        sources = self.sources[index]
        out = np.zeros(len(x) * sources.record(True).itemsize, np.uint8)
        run = getattr(self.library, f"{sources.name}_run")
        run(sources.frames(x), ctypes.c_uint32(len(x)), out.ctypes.data_as(ctypes.c_void_p))
        return sources.prediction(out.tobytes(), len(x), True)


def predicted(network: Network, x: Any) -> Any:
    """What one network makes of samples as C."""
    with tempfile.TemporaryDirectory() as folder:
        return Library([network], Path(folder)).predict(0, x)
