"""CNN, the formal convolutional network, and the parameters that it shares with SCNN."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import in_, optional

from snn_kernel import Shapes
from snn_models import checks

if TYPE_CHECKING:
    from snn_models.convolutional import ConvolutionalNetwork


@frozen(kw_only=True)
class Convolutional(ABC):
    """What spiking and formal convolutional networks have in common."""

    filters: tuple[int, ...] = field(validator=[checks.filled, checks.least(1)])
    kernel_sizes: tuple[int, ...] = field(validator=checks.least(1))
    paddings: int | tuple[int, ...] = field(default=0, validator=checks.least(0))
    strides: int | tuple[int, ...] = field(default=1, validator=checks.least(1))
    pool_sizes: int | tuple[int, ...] = field(default=0, validator=checks.least(0))
    dropouts: float | tuple[float, ...] = field(default=0.0, validator=checks.share)
    fc_units: tuple[int, ...] = field(default=(), validator=checks.least(1))
    separables: tuple[bool, ...] | None = None
    batch_norm: bool = False
    prepool: int | tuple[int, ...] = field(default=1, validator=checks.least(1))
    postpool: int | tuple[int, ...] = field(default=1, validator=checks.least(1))
    gsp: bool = False
    dims: int | None = field(default=None, validator=optional(in_((1, 2))))
    input_shape: tuple[int, ...] | None = field(default=None, validator=optional(checks.least(1)))
    output_shape: tuple[int, ...] | None = field(default=None, validator=optional(checks.least(1)))

    def __attrs_post_init__(self) -> None:
        checks.refuse(self._mismatches())

    def _mismatches(self) -> Iterator[str]:
        lists = ("kernel_sizes", "paddings", "strides", "pool_sizes", "separables")
        yield from checks.lengths(self, lists)
        layers = len(self.filters) + len(self.fc_units)
        if isinstance(self.dropouts, tuple) and len(self.dropouts) != layers:
            yield (
                f"dropouts has {len(self.dropouts)} numbers for {layers} layers "
                "(filters and fc_units)"
            )
        if self.gsp and self.fc_units:
            yield "gsp takes the place of linear layers: leave out fc_units"
        yield from checks.dimensions(self, ("prepool", "postpool"))

    def each(self, name: str) -> tuple[Any, ...]:
        """Parameter `name` for each convolution (dropouts: and each of fc_units)."""
        value = getattr(self, name)
        count = len(self.filters) + (len(self.fc_units) if name == "dropouts" else 0)
        return value if isinstance(value, tuple) else (value,) * count

    def check(self, plan: Any, place: str) -> Iterator[Any]:
        """Networks need a framework of their kind, spiking or formal; a neuron may need more."""
        yield from checks.whole(self, plan, place)

    @abstractmethod
    def build(self, shapes: Shapes, session: Any) -> Any:
        """The network as a torch module, with random weights."""


@frozen(kw_only=True)
class CNN(Convolutional):
    """A formal convolutional network, the twin of SCNN with ReLU in place of neurons.

    For each of `filters`: convolution, batch normalisation if asked, ReLU, dropout, max-pool; then
    average pooling, and linear layers with ReLU between them.

    filters: channels of each convolution.
    kernel_sizes: kernel size of each convolution.
    paddings: padding of the convolutions, one number or one for each (default 0).
    strides: stride of the convolutions, one number or one for each (default 1).
    pool_sizes: window and stride of the max-pool after each convolution, 0 for none (default 0).
    dropouts: share dropped in training after each ReLU, one number or one for each of filters and
        fc_units (default 0).
    fc_units: sizes of the linear layers before the last (default none).
    separables: for each convolution, whether it is one per channel and one of size 1 across
        (default none).
    batch_norm: normalise after each convolution, which then has no bias (default false).
    prepool: average pooling of the input, one number or one for each dimension (default 1).
    postpool: average pooling before the linear layers, likewise (default 1).
    gsp: instead of linear layers, a convolution of size 1 to the classes, ReLU and the sum over all
        positions (default false).
    dims: 1 or 2 spatial dimensions (default: those of the data).
    input_shape: of one sample, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    """

    example: ClassVar[dict[str, Any]] = {
        "filters": [4, 4],
        "kernel_sizes": [3, 3],
        "paddings": [1, 1],
        "pool_sizes": [0, 2],
    }

    def build(self, shapes: Shapes, session: Any) -> ConvolutionalNetwork:
        """The network as a torch module, with random weights; ConfigError where it does not fit
        the data."""
        from snn_models.convolutional import ConvolutionalNetwork

        shape, classes = checks.spatial(self, shapes), self.output_shape or shapes.output
        return ConvolutionalNetwork(self, shape, classes)
