"""SResNet and SResNetStride, spiking residual networks: their parameters and their checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import ge

from snn_kernel import Shapes, chosen
from snn_models import checks
from snn_models.resnet import PooledResidual, Residual, ResNet, Stage

if TYPE_CHECKING:
    from snn_models.residual import ResidualSNN


@frozen(kw_only=True)
class SResNet(PooledResidual):
    """A spiking residual network that shrinks its map by max-pooling.

    Convolution, batch normalisation if asked, neuron; then groups of blocks: two convolutions with
    neurons, whose spikes are added to those of the block's input, through a convolution of size 1
    and neurons where the two do not match. Then the pool over all positions, and the linear layer.
    The output is the sum of the last layer's over the timesteps, divided by their number. After
    He et al., "Deep residual learning for image recognition", CVPR 2016.

    filters: channels of the first convolution, then of each group of blocks.
    kernel_sizes: kernel sizes likewise.
    num_blocks: how many blocks each group has, one number for each of filters but the first.
    neuron: {kind, params}, the neuron after every convolution.
    strides: stride of the first convolution, then window and stride of the max-pool in each
        group's first block, one number or one for each of filters (default 1).
    paddings: padding of the convolutions, likewise (default: half the kernel, which keeps the map).
    prepool: average pooling of the input, one number or one for each dimension (default 1).
    postpool: "max" or "avg", the pool over all positions before the linear layer (default "max").
    batch_norm: normalise after each convolution, which then has no bias (default false).
    bn_momentum: share of a batch in the running statistics, above 0 to 1 (default 0.1).
    timesteps: how many timesteps a sample is shown (default 2).
    dims: 1 or 2 spatial dimensions (default: those of the data).
    input_shape: of one sample at one timestep, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    force_projection_with_stride: project the shortcut wherever the stride is not 1, even if the
        channels stay (default true).
    """

    example: ClassVar[Mapping[str, Any]] = ResNet.example | {
        "timesteps": 4,
        "neuron": {"kind": "IFNode", "params": {"v_reset": False}},
    }

    neuron: Any = chosen("neuron")
    timesteps: int = field(default=2, validator=ge(1))

    shortcut_pool = "smax"

    def build(self, shapes: Shapes, session: Any) -> ResidualSNN:
        """The network as a torch module, with random weights; ConfigError where it does not fit
        the data, or where block and shortcut do not fit each other."""
        return _built(self, shapes, session)


@frozen(kw_only=True)
class SResNetStride(Residual):
    """A spiking residual network that shrinks its map by strided convolutions, and by max-pooling
    where asked.

    Convolution, batch normalisation if asked, max-pool, neuron; then groups of blocks: two
    convolutions with neurons, whose spikes are added to those of the block's input, through a
    convolution of size 1 and neurons where the two do not match. Then the pool over all positions,
    and the linear layer. The output is the sum of the last layer's over the timesteps, divided by
    their number. After He et al., "Deep residual learning for image recognition", CVPR 2016.

    filters: channels of the first convolution, then of each group of blocks.
    kernel_sizes: kernel sizes likewise.
    num_blocks: how many blocks each group has, one number for each of filters but the first.
    neuron: {kind, params}, the neuron after every convolution.
    strides: stride of the first convolution and of the first in each group, one number or one for
        each of filters (default 1).
    paddings: padding of the convolutions, likewise (default: half the kernel, which keeps the map).
    prepool: average pooling of the input, one number or one for each dimension (default 1).
    postpool: "max" or "avg", the pool over all positions before the linear layer; "sum", instead of
        both, a convolution of size 1 to the classes, neurons and the sum over all positions
        (default "max").
    batch_norm: normalise after each convolution, which then has no bias (default false).
    bn_momentum: share of a batch in the running statistics, above 0 to 1 (default 0.1).
    timesteps: how many timesteps a sample is shown (default 2).
    dims: 1 or 2 spatial dimensions (default: those of the data).
    input_shape: of one sample at one timestep, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    pool_sizes: window and stride of the max-pool after the first convolution and after the first of
        each group, 0 or 1 for none, one number or one for each of filters (default 0).
    force_projection_with_pooling: project the shortcut wherever there is a pool, even if the
        channels stay (default true).
    """

    example: ClassVar[Mapping[str, Any]] = ResNet.example | {
        "timesteps": 4,
        "neuron": {"kind": "IFNode", "params": {"v_reset": False}},
    }

    neuron: Any = chosen("neuron")
    timesteps: int = field(default=2, validator=ge(1))
    pool_sizes: int | tuple[int, ...] = field(default=0, validator=checks.least(0))
    force_projection_with_pooling: bool = True

    lists = (*Residual.lists, "pool_sizes")
    shortcut_pool = "spool"

    def stages(self) -> Iterator[Stage]:
        """The first convolution, then the groups."""
        names = ("filters", "kernel_sizes", "paddings", "strides", "pool_sizes")
        for channels, kernel, padding, stride, pool in zip(*map(self.each, names), strict=True):
            forced = stride != 1 or (self.force_projection_with_pooling and pool > 1)
            yield Stage(channels, kernel, padding, stride, pool, forced)

    def build(self, shapes: Shapes, session: Any) -> ResidualSNN:
        """The network as a torch module, with random weights; ConfigError where it does not fit
        the data, or where block and shortcut do not fit each other."""
        return _built(self, shapes, session)


def _built(config: SResNet | SResNetStride, shapes: Shapes, session: Any) -> ResidualSNN:
    from snn_framework_spikingjelly.snn import lending
    from snn_models.residual import ResidualSNN

    shape, classes = checks.spatial(config, shapes), config.output_shape or shapes.output
    with lending(session.context, session.multi_step):
        return ResidualSNN(config, shape, classes)
