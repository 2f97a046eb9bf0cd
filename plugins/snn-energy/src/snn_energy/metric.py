"""EnergyEstimationMetric: energy per inference, estimated from activity and the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from attrs import field, frozen, validators

from snn_energy.elementary import (
    Compat,
    Costs,
    Estimation,
    Operation,
    Source,
    Sram,
    access_pj,
    operation_pj,
)
from snn_energy.planned import uncountable, uncounted, unlowered

if TYPE_CHECKING:
    from snn_kernel import Context, Outcome, Processed, Session, Splits


@frozen
class SramParams:
    """The table `op_estimation_type.params`.

    sram_estimation_type: as beside op_estimation_type, "old" or "new", default: not given.
    """

    sram_estimation_type: Sram | None = None


@frozen
class OperationEstimation:
    """How additions and multiplications are costed at mem_width, from values at 8 and 32 bits.

    add: "ICONIP" (32-bit value), "saturation" (8-bit value up to 8 bits, 32-bit value up to 32),
        "linear" (through both) or "quadratic" (through both and the origin), default "ICONIP".
    mul: likewise, default "ICONIP".
    params: a table that may hold sram_estimation_type, as documented files write it.
    """

    add: Estimation = "ICONIP"
    mul: Estimation = "ICONIP"
    params: SramParams = SramParams()


@frozen
class EnergyEstimationMetric:
    """Energy per inference after Lemaire et al., ICONIP 2022: pJ by layer in a table, nJ in all.

    mem_width: bits of one datum in memory, e.g. 8 for 8-bit quantisation, at least 1.
    fifo_size: elements that the input and the output FIFO of a spiking layer hold, default 0.
    total_spikerate_exclude_nonbinary: leave tensors that are not binary out of the total rates,
        default true.
    op_estimation_type: a table {add, mul}, default ICONIP for both.
    sram_estimation_type: "old" (ICONIP 2022: one access per datum, dearer in larger memories) or
        "new" (T. Louis: data packed into 64-bit accesses of 10 pJ), default "old".
    twin: cost the same layers as a formal network too, at the same width, and compare, default
        false.
    compat: "qualia-2.6" gives the figures of that system, its errors included, default: not given.
    source: "estimated" (rates × sizes), "counted" (the events that a postprocessing before this one
        has counted one by one, such as EventCounter) or "both", with their ratio, default
        "estimated".
    """

    example: ClassVar[Mapping[str, Any]] = {"mem_width": 32, "fifo_size": 64}

    mem_width: int = field(validator=validators.ge(1))
    fifo_size: int = field(default=0, validator=validators.ge(0))
    total_spikerate_exclude_nonbinary: bool = True
    op_estimation_type: OperationEstimation | None = None
    sram_estimation_type: Sram | None = None
    twin: bool = False
    compat: Compat | None = None
    source: Source = "estimated"

    def __attrs_post_init__(self) -> None:
        inner = self._inner
        if None not in (inner, self.sram_estimation_type) and inner != self.sram_estimation_type:
            raise ValueError(
                f"sram_estimation_type is '{self.sram_estimation_type}', but '{inner}' in "
                "op_estimation_type.params"
            )
        if self.twin and self.compat:
            raise ValueError(f"twin = true: compat = '{self.compat}' knows no formal twin")
        uncountable(self.source, self.compat)
        wrong = []
        for operation in get_args(Operation):
            try:
                self._operation(operation)
            except ValueError as error:
                wrong.append(str(error))
        try:
            access_pj(0, self.mem_width, self._sram)
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise ValueError(f"mem_width = {self.mem_width}: " + "; ".join(wrong))

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must have a lowered form; counted events must have been counted by then, of
        a spiking network."""
        yield from unlowered(plan, type(self).__name__)
        yield from uncounted(self, plan)

    @property
    def costs(self) -> Costs:
        """The elementary costs that this configuration means."""
        add, mul = self._operation("add"), self._operation("mul")
        return Costs(self.mem_width, self._sram, add, mul)

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Table "energy" (pJ) and measures (nJ); RunError where there is nothing to estimate on, or
        an energy would be negative or undefined."""
        from snn_energy.energy import estimate

        return estimate(self, processed, session, context.warn)

    def estimation(self, operation: Operation) -> Estimation:
        """How an operation is costed."""
        if self.op_estimation_type is not None:
            found: Estimation = getattr(self.op_estimation_type, operation)
            return found
        if self.compat:
            from snn_energy.compat import omitted

            return omitted(self.mem_width)
        return "ICONIP"

    @property
    def _inner(self) -> Sram | None:
        kinds = self.op_estimation_type
        return kinds.params.sram_estimation_type if kinds else None

    @property
    def _sram(self) -> Sram:
        return self.sram_estimation_type or self._inner or "old"

    def _operation(self, operation: Operation) -> float:
        if self.compat:
            from snn_energy.compat import unchecked_pj as operation_cost
        else:
            operation_cost = operation_pj
        return operation_cost(operation, self.estimation(operation), self.mem_width)
