"""`QuantParams`: how the tensors of a network are quantised, as a table in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, fields, frozen
from attrs.validators import in_

from snn_network.bounds import FRACTION_MAX

Tensor: TypeAlias = Literal["input", "act", "w", "v", "bias"]
TENSORS: tuple[Tensor, ...] = ("input", "act", "w", "v", "bias")

Kind: TypeAlias = Literal["fxp", "fake"]
Rounding: TypeAlias = Literal["nearest", "floor", "ceil"]
Range: TypeAlias = Literal["minmax", "MSE_analysis", "MSE_simulation", "mse_pot"]
Scale: TypeAlias = Literal["pot", "real"]

BITS_MAX = 32
FACTOR_BITS = 32  # of 1/tau and the like, where they have a format of their own
FACTOR_MAX = FACTOR_BITS - 2  # leaves one bit before the point and the sign
SHIFT_MAX = 64  # fraction bits beyond it stand for no number that a network computes with


def _bits(_: Any, attribute: Any, value: int | None) -> None:
    if value is not None and not 2 <= value <= BITS_MAX:
        raise ValueError(f"{attribute.name} must be from 2 to {BITS_MAX}, not {value}")


def _factor(_: Any, attribute: Any, value: int) -> None:
    if not 1 <= value <= FACTOR_MAX:
        raise ValueError(f"{attribute.name} must be from 1 to {FACTOR_MAX}, not {value}")


def _shift(_: Any, attribute: Any, value: int | bool | None) -> None:
    if value is not None and not -SHIFT_MAX <= value <= SHIFT_MAX:
        raise ValueError(
            f"{attribute.name} is a number of fraction bits from {-SHIFT_MAX} to {SHIFT_MAX}, "
            f"not {value}"
        )


@frozen
class TensorParams:
    """What a sub-table changes for one tensor; keys left out stay as the table above has them.

    The keys are those of QuantParams from `bits` to `quant_enable`.
    """

    bits: int | None = field(default=None, validator=_bits)
    quantype: Kind | None = None
    roundtype: Rounding | None = None
    range_setting: Range | None = None
    force_q: int | bool | None = field(default=None, validator=_shift)
    LSQ: bool | None = None
    LSQ_scale: Scale | None = None
    is_asymmetric: bool | None = None
    quant_enable: bool | None = None


@frozen
class Settings:
    """How one tensor is quantised."""

    bits: int = field(default=8, validator=_bits)
    quantype: Kind = field(default="fxp", validator=in_(("fxp", "fake")))
    roundtype: Rounding = field(default="nearest", validator=in_(("nearest", "floor", "ceil")))
    range_setting: Range = field(
        default="minmax", validator=in_(("minmax", "MSE_analysis", "MSE_simulation", "mse_pot"))
    )
    force_q: int | bool | None = field(default=None, validator=_shift)
    LSQ: bool = False
    LSQ_scale: Scale = field(default="pot", validator=in_(("pot", "real")))
    is_asymmetric: bool = False
    quant_enable: bool = True

    def __attrs_post_init__(self) -> None:
        if self.is_asymmetric and self.LSQ:
            raise ValueError("LSQ has no asymmetric form: is_asymmetric and LSQ exclude each other")
        if self.is_asymmetric and self.quantype == "fxp" and self.fraction is None:
            raise ValueError("is_asymmetric needs quantype = 'fake': fixed point is symmetric")

    @property
    def fraction(self) -> int | None:
        """The fraction bits that `force_q` sets; None where the range sets them."""
        return None if self.force_q is None or isinstance(self.force_q, bool) else self.force_q

    @property
    def obstacle(self) -> str:
        """Why a tensor quantised so has no fixed-point format; empty if it has one."""
        if not self.quant_enable:
            return "quant_enable = false leaves it as floats"
        if self.LSQ and self.LSQ_scale == "real":
            return "LSQ_scale = 'real' learns a scale that is no power of 2"
        if self.is_asymmetric:
            return "is_asymmetric = true"
        if self.fraction is not None and abs(self.fraction) > FRACTION_MAX:
            return f"force_q = {self.fraction} is beyond the ±{FRACTION_MAX} bits of a shift"
        if self.quantype == "fake" and not self.LSQ and self.fraction is None:
            return "quantype = 'fake' has a scale that is no power of 2"
        return ""


@frozen
class QuantParams(Settings):
    """How a network is quantised: one rule for all tensors, and what sub-tables change for one.

    bits: bits of an integer, its sign included, 2 to 32 (default 8).
    quantype: "fxp" fixed point, a scale that is a power of 2; "fake" any scale, which trains but
        cannot be deployed (default "fxp").
    roundtype: "nearest" (a half goes up), "floor" or "ceil" (default "nearest").
    range_setting: what the scale covers: "minmax" the largest magnitude; "MSE_analysis" the
        clipping with the least mean squared error on a Gaussian; "MSE_simulation" the one of least
        error on the tensor itself; "mse_pot" the power of 2 of least error (default "minmax").
    force_q: that many fraction bits, -64 to 64, whatever the range; true, like leaving it out,
        takes them from the range (default none).
    LSQ: learn the scale with the weights (learned step size quantisation; default false).
    LSQ_scale: "pot" learns a power of 2, which can be deployed; "real" the published form
        (default "pot").
    is_asymmetric: whether the range may be asymmetric; with quantype "fake" only (default false).
    quant_enable: whether to quantise at all (default true).
    hyperparams: format of 1/tau and of other factors in neurons: "shared" with the membrane
        potential, or "own", 32 bits with `hyperparams_fraction` (default "shared").
    hyperparams_fraction: fraction bits of "own" factors, 1 to 30 (default 8).
    input: keys from bits to quant_enable that differ for the inputs of layers.
    act: likewise for the outputs of layers.
    w: likewise for weights.
    v: likewise for membrane potentials and the hyperparameters of neurons.
    bias: likewise for biases, which share the scale of the weights without this table.
    """

    hyperparams: Literal["shared", "own"] = field(
        default="shared", validator=in_(("shared", "own"))
    )
    hyperparams_fraction: int = field(default=8, validator=_factor)
    input: TensorParams | None = None
    act: TensorParams | None = None
    w: TensorParams | None = None
    v: TensorParams | None = None
    bias: TensorParams | None = None

    def __attrs_post_init__(self) -> None:
        faults = {}
        for tensor in TENSORS:
            try:
                self.of(tensor)
            except ValueError as error:
                faults[tensor] = str(error)
        if faults:
            raise ValueError(_grouped(faults))

    def of(self, tensor: Tensor) -> Settings:
        """The settings of one tensor: those of its sub-table, else the shared ones."""
        names = [a.name for a in fields(Settings)]
        own, shared = getattr(self, tensor), {n: getattr(self, n) for n in names}
        changed = {n: v for n in names if (v := getattr(own, n, None)) is not None}
        return Settings(**(shared | changed))

    @property
    def obstacle(self) -> str:
        """Why networks quantised so cannot be deployed; empty if they can.

        A network may keep either its inputs or its outputs of layers as they are: sums of integers
        are integers. Without both, what comes in from outside would have no format.
        """
        sides: tuple[Tensor, ...] = ("input", "act")
        needed: list[Tensor] = ["w", "v", "bias"] if self.bias else ["w", "v"]
        needed += [t for t in sides if self.of(t).quant_enable] or ["input"]
        return _grouped({t: why for t in needed if (why := self.of(t).obstacle)})


def _grouped(whys: Mapping[str, str]) -> str:
    """What holds of tensors, each said once: "w, act: …"."""
    tensors: dict[str, list[str]] = {}
    for tensor, why in whys.items():
        tensors.setdefault(why, []).append(tensor)
    return "; ".join(f"{', '.join(which)}: {why}" for why, which in tensors.items())


def checked(quant_params: Any) -> QuantParams:
    """`quant_params` as they stand in a file, checked; ConfigError with every fault of them."""
    from snn_kernel.config import Checker
    from snn_kernel.errors import ConfigError
    from snn_kernel.registry import Registry

    if isinstance(quant_params, QuantParams):
        return quant_params
    checker = Checker(Registry.discover())
    made: QuantParams = checker.table(QuantParams, quant_params, "[quant_params]")
    if checker.faults:
        raise ConfigError(*checker.faults)
    return made
