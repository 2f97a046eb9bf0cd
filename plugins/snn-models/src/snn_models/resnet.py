"""ResNet, the formal residual network, and the parameters that it shares with spiking ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen
from attrs.validators import gt, in_, le, optional

from snn_kernel import Shapes
from snn_models import checks

if TYPE_CHECKING:
    from snn_models.residual import ResidualNetwork


@frozen
class Stage:
    """The first convolution, or one group of blocks, in whose first block stride and pool stand.

    `projected`: its shortcut is projected there even if the channels stay.
    """

    channels: int
    kernel: int
    padding: int
    stride: int
    pool: int
    projected: bool


@frozen(kw_only=True)
class Residual(ABC):
    """What spiking and formal residual networks have in common."""

    filters: tuple[int, ...] = field(validator=[checks.filled, checks.least(1)])
    kernel_sizes: tuple[int, ...] = field(validator=checks.least(1))
    num_blocks: tuple[int, ...] = field(validator=checks.least(1))
    strides: int | tuple[int, ...] = field(default=1, validator=checks.least(1))
    paddings: int | tuple[int, ...] | None = field(
        default=None, validator=optional(checks.least(0))
    )
    prepool: int | tuple[int, ...] = field(default=1, validator=checks.least(1))
    postpool: Literal["max", "avg", "sum"] = "max"
    batch_norm: bool = False
    bn_momentum: float = field(default=0.1, validator=[gt(0), le(1)])
    dims: int | None = field(default=None, validator=optional(in_((1, 2))))
    input_shape: tuple[int, ...] | None = field(default=None, validator=optional(checks.least(1)))
    output_shape: tuple[int, ...] | None = field(default=None, validator=optional(checks.least(1)))

    lists: ClassVar[tuple[str, ...]] = ("kernel_sizes", "strides", "paddings")
    shortcut_pool: ClassVar[str]  # the name of the pool in a shortcut

    def __attrs_post_init__(self) -> None:
        checks.refuse(self._mismatches())

    def _mismatches(self) -> Iterator[str]:
        yield from checks.lengths(self, self.lists)
        groups = len(self.filters) - 1
        if len(self.num_blocks) != groups:
            yield (
                f"num_blocks has {len(self.num_blocks)} numbers for {groups} groups (one for each "
                "of filters but the first)"
            )
        yield from checks.dimensions(self, ("prepool",))

    def each(self, name: str) -> tuple[Any, ...]:
        """Parameter `name` for each of the filters."""
        value = getattr(self, name)
        if value is None:  # paddings
            return tuple(kernel // 2 for kernel in self.kernel_sizes)
        return value if isinstance(value, tuple) else (value,) * len(self.filters)

    @abstractmethod
    def stages(self) -> Iterator[Stage]:
        """The first convolution, then the groups."""

    def check(self, plan: Any, place: str) -> Iterator[Any]:
        """Networks need a framework of their kind, spiking or formal; a neuron may need more."""
        yield from checks.whole(self, plan, place)

    @abstractmethod
    def build(self, shapes: Shapes, session: Any) -> Any:
        """The network as a torch module, with random weights."""


@frozen(kw_only=True)
class PooledResidual(Residual):
    """What residual networks that shrink their map by max-pooling have in common."""

    postpool: Literal["max", "avg"] = "max"
    force_projection_with_stride: bool = True

    def stages(self) -> Iterator[Stage]:
        """The first convolution, then the groups."""
        names = ("filters", "kernel_sizes", "paddings", "strides")
        lists = zip(*map(self.each, names), strict=True)
        for i, (channels, kernel, padding, size) in enumerate(lists):
            stride, pool = (1, size) if i else (size, 1)
            forced = self.force_projection_with_stride and size != 1
            yield Stage(channels, kernel, padding, stride, pool, forced)


@frozen(kw_only=True)
class ResNet(PooledResidual):
    """A formal residual network, the twin of SResNet with ReLU in place of neurons.

    Convolution, batch normalisation if asked, ReLU; then groups of blocks: two convolutions with
    ReLU between them, to whose output the block's input is added, through a convolution of size 1
    where the two do not match, and ReLU of the sum; max-pooling shrinks the map. Then the pool over
    all positions, and the linear layer. After He et al., "Deep residual learning for image
    recognition", CVPR 2016.

    filters: channels of the first convolution, then of each group of blocks.
    kernel_sizes: kernel sizes likewise.
    num_blocks: how many blocks each group has, one number for each of filters but the first.
    strides: stride of the first convolution, then window and stride of the max-pool in each
        group's first block, one number or one for each of filters (default 1).
    paddings: padding of the convolutions, likewise (default: half the kernel, which keeps the map).
    prepool: average pooling of the input, one number or one for each dimension (default 1).
    postpool: "max" or "avg", the pool over all positions before the linear layer (default "max").
    batch_norm: normalise after each convolution, which then has no bias (default false).
    bn_momentum: share of a batch in the running statistics, above 0 to 1 (default 0.1).
    dims: 1 or 2 spatial dimensions (default: those of the data).
    input_shape: of one sample, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    force_projection_with_stride: project the shortcut wherever the stride is not 1, even if the
        channels stay (default true).
    """

    example: ClassVar[dict[str, Any]] = {
        "filters": [4, 4],
        "kernel_sizes": [3, 3],
        "paddings": [1, 1],
        "strides": [1, 1],
        "num_blocks": [1],
    }

    shortcut_pool = "spool"

    def build(self, shapes: Shapes, session: Any) -> ResidualNetwork:
        """The network as a torch module, with random weights; ConfigError where it does not fit
        the data, or where block and shortcut do not fit each other."""
        from snn_models.residual import ResidualNetwork

        shape, classes = checks.spatial(self, shapes), self.output_shape or shapes.output
        return ResidualNetwork(self, shape, classes)
