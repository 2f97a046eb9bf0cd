"""The text of generated C: a header with the interface, a source file with everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import field, frozen

from snn_codegen import __version__
from snn_codegen.assembly import Assembly
from snn_codegen.element import C, length, literal, literals, size
from snn_codegen.kernels import in_order, kernel, text
from snn_codegen.memory import Memory
from snn_codegen.program import Call, Table
from snn_codegen.tensor import Tensor

# Names whose macros are those that SNN_GENERIC defines, whose files are those that targets write
# beside the network's, or whose header is the C library's (C99, 7.1.2; features.h is one of those
# that libraries add).
RESERVED = (
    *("snn", "example", "board", "semihosting"),
    *("features", "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes"),
    *("iso646", "limits", "locale", "math", "setjmp", "signal", "stdarg", "stdbool", "stddef"),
    *("stdint", "stdio", "stdlib", "string", "tgmath", "time", "wchar", "wctype"),
)


def identifier(name: str) -> str:
    """A model's name as one of C, in lower case."""
    made = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
    if not made or made[0].isdigit() or made in RESERVED:
        made = f"network_{made}".strip("_")
    return made


@frozen(eq=False)
class Writer:
    """Writes what an assembly says, for the C identifier `name`; `traced` builds the hook in."""

    assembly: Assembly
    name: str
    traced: bool = False
    memory: Memory = field(init=False)

    @memory.default
    def _memory(self) -> Memory:
        return Memory(self.assembly)

    @property
    def upper(self) -> str:
        """What its macros begin with."""
        return self.name.upper()

    def header(self) -> str:
        """The interface."""
        network, n, up = self.assembly.network, self.name, self.upper
        frame, outputs = self.assembly.input, self.assembly.outputs[-1].count
        frames = 1 if network.mode == "static" else network.timesteps
        spiking = [i for i, t in enumerate(self.assembly.outputs) if self.spiking(i)]
        spikes = " || ".join(f"(layer) == {i}u" for i in spiking) or "(void)(layer), 0"
        numbers = {
            **{"INPUTS": frame.count, "OUTPUTS": outputs, "TIMESTEPS": network.timesteps},
            **{"FRAMES": frames, "LAYERS": len(network.layers), "ROM_BYTES": self.memory.rom_bytes},
            **{"STATE_BYTES": self.memory.state_bytes, "ARENA_BYTES": self.memory.arena_bytes},
        }
        members = "\n".join(
            f"    {C[element]} {name};"
            if name == "timestep"
            else f"    {C[element]} {name}[{length(element, count)}];"
            for element, name, count in self.memory.members()
        )
        layers = "\n".join(
            f"     {i:3}  {type(layer).__name__:10} {layer.name.replace('*/', '* /')}"
            for i, layer in enumerate(network.layers)
        )
        return HEADER.format(
            name=n,
            upper=up,
            version=__version__,
            layers=layers,
            numbers="\n".join(f"#define {up}_{key} {value}u" for key, value in numbers.items()),
            spikes=f"#define {up}_SPIKES(layer) ({spikes})",
            traced=f"#define {up}_TRACE\n" if self.traced else "",
            input=C[frame.element],
            logit=C[self.assembly.logits],
            members=members,
            once=ONCE if network.mode == "static" else EACH,
            generic="\n".join(
                f"#define SNN_{key}{arguments} {up}_{key}{arguments}"
                for key, arguments in [*((k, "") for k in numbers), ("SPIKES", "(layer)")]
            ),
        )

    def spiking(self, index: int) -> bool:
        """Whether layer `index` is a population of neurons."""
        return type(self.assembly.network.layers[index]).__name__ == "Neuron"

    def source(self) -> str:
        """Everything that the interface promises."""
        kernels = in_order(call.kernel for call in self.assembly.program.calls)
        fills = sorted(
            {p.element for p in self.assembly.program.potentials} | {self.assembly.logits}
        )
        more = [kernel("fill", {"state": e}) for e in fills]
        steady = [c for c in self.memory.calls if c.static]
        parts = [
            f"/* Written by snn-codegen {__version__}; see {self.name}.h. */",
            f'#include "{self.name}.h"',
            text("kernel.h"),
            PRAGMA.strip(),
            TRACE.format(name=self.name, upper=self.upper).strip(),
            *(k.text.rstrip() for k in kernels),
            *(k.text.rstrip() for k in more),
            *(self._table(t) for t in self.assembly.program.tables),
            "\n".join(self.assembly.program.constants.values()),
            self._reset(),
            self._step(steady),
            FUNCTIONS.format(name=self.name, upper=self.upper).strip(),
        ]
        return "\n\n".join(p for p in parts if p) + "\n"

    def _table(self, table: Table) -> str:
        values = table.values.reshape(-1).tolist()
        head = f"static const {C[table.element]} {table.name}[{len(values)}] = {{"
        return f"{head}\n    {literals(table.element, values)}\n}};"

    def _reset(self) -> str:
        lines = [
            f"    fill_{p.element}(state->{p.name}, {p.count}u, {literal(p.element, p.start)});"
            for p in self.assembly.program.potentials
        ]
        logits = self.assembly.logits
        lines.append(f"    fill_{logits}(state->logits, {self.upper}_OUTPUTS, 0);")
        lines.append("    state->timestep = 0u;")
        body = "\n".join(lines)
        return f"void {self.name}_reset({self.name}_state *state)\n{{\n{body}\n}}"

    def _step(self, steady: list[Call]) -> str:
        head = (
            f"void {self.name}_step({self.name}_state *state, "
            f"const {self.name}_input_t frame[{self.upper}_INPUTS])"
        )
        lines = []
        if steady:
            lines.append("    if (state->timestep == 0u) { /* the same at every timestep */")
            lines += [f"        {line}" for line in self._lines(True)]
            lines.append("    }")
        lines += [f"    {line}" for line in self._lines(False)]
        lines.append("    state->timestep++;")
        body = "\n".join(lines)
        return f"{head}\n{{\n{body}\n}}"

    def _lines(self, static: bool) -> Iterator[str]:
        """The calls of each layer, and after it the hook."""
        for index in range(len(self.assembly.network.layers) + 1):
            for call in self.assembly.program.calls:
                if call.layer == index and call.static == static:
                    yield f"{call.kernel.name}({', '.join(map(self._argument, call.arguments))});"
            if index < len(self.assembly.outputs):
                made = self.assembly.outputs[index]
                if made.static == static:
                    place = self.memory.places[made.storage]
                    yield f"TRACED({index}u, {place}, {size(made.element, made.count)}u);"

    def _argument(self, argument: str | Tensor) -> str:
        return argument if isinstance(argument, str) else self.memory.places[argument.storage]


ONCE = """/* One timestep. The frame of a sample is the same at each of its timesteps; what depends
   on nothing else is computed at the first. */"""
EACH = "/* One timestep, which has a frame of its own. */"

HEADER = """/* {name}: a network as C99, written by snn-codegen {version}.

   {name}_reset, then {name}_step for each timestep, then {name}_logits or {name}_argmax; the
   caller owns the state, and nothing is allocated.

   Layers:
{layers} */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{numbers}
{spikes}
{traced}
typedef {input} {name}_input_t;
typedef {logit} {name}_logit_t;

typedef struct {{
{members}
}} {name}_state;

/* At rest, before the first timestep of a sample. At most {upper}_TIMESTEPS timesteps may
   follow: the logits are sums, which are proved to fit for so many. */
void {name}_reset({name}_state *state);

{once}
void {name}_step({name}_state *state, const {name}_input_t frame[{upper}_INPUTS]);

/* The sums of the outputs over the timesteps so far. */
void {name}_logits(const {name}_state *state, {name}_logit_t logits[{upper}_OUTPUTS]);

/* The first of the largest logits. */
uint32_t {name}_argmax(const {name}_state *state);

#ifdef {upper}_TRACE
/* Supplied by the caller, called after each layer with what it put out. */
void {name}_trace(uint32_t layer, const void *values, uint32_t bytes);
#endif

#ifdef __cplusplus
}}
#endif

#ifdef SNN_GENERIC /* one program for every network */
#define SNN_NAME "{name}"
{generic}
#define snn_input_t {name}_input_t
#define snn_logit_t {name}_logit_t
#define snn_state {name}_state
#define snn_reset {name}_reset
#define snn_step {name}_step
#define snn_logits {name}_logits
#define snn_argmax {name}_argmax
#define snn_trace {name}_trace
#endif

#endif
"""

PRAGMA = """
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* a fused product and sum would round once where torch rounds twice */
#endif
"""

TRACE = """
#ifdef {upper}_TRACE
#define TRACED(layer, values, bytes) {name}_trace(layer, values, bytes)
#else
#define TRACED(layer, values, bytes) ((void)0)
#endif
"""

FUNCTIONS = """
void {name}_logits(const {name}_state *state, {name}_logit_t logits[{upper}_OUTPUTS])
{{
    for (uint32_t i = 0u; i < {upper}_OUTPUTS; i++) {{
        logits[i] = state->logits[i];
    }}
}}

uint32_t {name}_argmax(const {name}_state *state)
{{
    uint32_t most = 0u;
    for (uint32_t i = 1u; i < {upper}_OUTPUTS; i++) {{
        if (state->logits[i] > state->logits[most]) {{
            most = i;
        }}
    }}
    return most;
}}

typedef char {name}_state_fits[sizeof({name}_state) <= {upper}_STATE_BYTES ? 1 : -1];
"""
