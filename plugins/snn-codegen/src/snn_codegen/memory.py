"""Where everything is kept: the state that the caller owns, and what of it shares a place."""

from __future__ import annotations

from attrs import field, frozen

from snn_codegen import arena
from snn_codegen.assembly import Assembly
from snn_codegen.element import DTYPES, WORD, Element, size
from snn_codegen.program import Call
from snn_codegen.tensor import Tensor

# By alignment, so that no member of the state needs padding before it.
ORDER: tuple[Element, ...] = ("i64", "f64", "i32", "f32", "lanes", "bits", "i16", "i8")


@frozen(eq=False)
class Memory:
    """The memory of an assembly: `places` are expressions of C by the storage of tensors, `arenas`
    the lengths of the arrays that these share."""

    assembly: Assembly
    places: dict[object, str] = field(init=False, factory=dict)
    arenas: dict[Element, int] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        spans, tensors = self._spans()
        offsets, lengths = arena.plan(spans)
        self.arenas.update(lengths)
        self.places[self.frame] = "frame"
        for key, offset in offsets.items():
            tensor = tensors[key]
            place = f"state->{tensor.element}" + (f" + {offset}" if offset else "")
            self.places[tensor.storage] = place

    @property
    def calls(self) -> list[Call]:
        """The calls in the order in which they run: first what is the same at every timestep."""
        return sorted(self.assembly.program.calls, key=lambda call: not call.static)

    def _spans(self) -> tuple[dict[int, arena.Span], dict[int, Tensor]]:
        """When each tensor is needed; what is made once is needed at every timestep if anything
        that is not reads it."""
        first: dict[object, int] = {}
        last: dict[object, int] = {}
        tensors: dict[object, Tensor] = {}
        calls = self.calls
        for step, call in enumerate(calls):
            for tensor in (t for t in call.tensors if t.storage is not self.frame):
                made = tensors.setdefault(tensor.storage, tensor)
                first.setdefault(tensor.storage, step)
                kept = made.static and not call.static
                last[tensor.storage] = max(
                    last.get(tensor.storage, 0), len(calls) if kept else step
                )
        spans = {}
        for key, (storage, tensor) in enumerate(tensors.items()):
            begin = 0 if last[storage] == len(calls) else first[storage]
            spans[key] = arena.Span(tensor.element, tensor.length, begin, last[storage])
        return spans, dict(enumerate(tensors.values()))

    @property
    def frame(self) -> object:
        """Where the frame is, which the caller keeps."""
        return self.assembly.input.storage

    @property
    def rom_bytes(self) -> int:
        """Bytes of constant tables: weights and biases."""
        return sum(t.values.size * DTYPES[t.element].itemsize for t in self.assembly.program.tables)

    @property
    def arena_bytes(self) -> int:
        """Bytes of what flows between layers."""
        return sum(count * DTYPES[element].itemsize for element, count in self.arenas.items())

    @property
    def state_bytes(self) -> int:
        """Bytes of the state, as a compiler lays it out."""
        members = self.members()
        total = sum(size(element, count) for element, _, count in members)
        widest = max(DTYPES[element].itemsize for element, _, _ in members)
        return -(-total // widest) * widest

    def members(self) -> list[tuple[Element, str, int]]:
        """Element, name and count of each array of the state, so that nothing needs padding."""
        outputs = self.assembly.outputs[-1].count
        found = [(p.element, p.name, p.count) for p in self.assembly.program.potentials]
        found.append((self.assembly.logits, "logits", outputs))
        words = {e: n * WORD if e == "bits" else n for e, n in self.arenas.items()}
        found += [(element, element, count) for element, count in words.items()]
        found.append(("bits", "timestep", 1))
        return sorted(found, key=lambda member: ORDER.index(member[0]))
