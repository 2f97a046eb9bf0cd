"""SResNet, SResNetStride and ResNet as torch modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve
from torch import Tensor, nn

from snn_framework_spikingjelly import layers as ours
from snn_framework_spikingjelly.snn import SNN
from snn_kernel import ConfigError, Fault
from snn_models.draft import Draft, shown, through
from snn_models.formal import FormalNetwork
from snn_models.material import Formal, Spiking
from snn_models.resnet import Residual, ResNet, Stage
from snn_models.sresnet import SResNet, SResNetStride


class BasicBlock(nn.Module):
    """Two convolutions with what stands behind them, and the shortcut that is added to them.

    `parts` are its modules by name, whichever of BODY and SHORTCUT it has, `last` follows the sum.
    With neurons, values go up to the number of blocks plus one, since none follows.
    """

    BODY = ("conv1", "bn1", "pool1", "neuron1", "relu1", "conv2", "bn2", "neuron2")
    SHORTCUT = ("sconv", "sbn", "smax", "spool", "neuronr")

    def __init__(self, parts: Mapping[str, nn.Module], last: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.last = tuple(last)
        for name, module in {**parts, "add": ours.Add(), **last}.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, …] → [N, C', …], or both with T before N."""
        total = self.add(self._through(self.BODY, x), self._through(self.SHORTCUT, x))
        return self._through(self.last, total)

    def _through(self, names: tuple[str, ...], x: Tensor) -> Tensor:
        return through((getattr(self, name) for name in names if hasattr(self, name)), x)


class ResidualSNN(SNN):
    """The network that `config` describes; forward takes [N, C, …], or [T, N, C, …] in mode "m".

    input_shape is channels last, output_shape (classes,).
    """

    def __init__(
        self,
        config: SResNet | SResNetStride,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
    ) -> None:
        super().__init__(input_shape, output_shape, config.timesteps, config.neuron)
        for name, module in _Build(config, Spiking(self), input_shape).parts(*output_shape):
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K], or [T, N, K] in mode "m"."""
        return through(_flat(self), x)

    def prepend(self, name: str, module: nn.Module) -> None:
        """Put a module before all others."""
        _prepend(self, name, module)


class ResidualNetwork(FormalNetwork):
    """The formal network that `config` describes; forward takes [N, C, …]."""

    def __init__(
        self, config: ResNet, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        super().__init__(input_shape, output_shape)
        for name, module in _Build(config, Formal(), input_shape).parts(*output_shape):
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [N, K]."""
        return through(_flat(self), x)

    def prepend(self, name: str, module: nn.Module) -> None:
        """Put a module before all others."""
        _prepend(self, name, module)


def _prepend(model: nn.Module, name: str, module: nn.Module) -> None:
    parts = {name: module, **dict(model.named_children())}
    model._modules.clear()
    for key, part in parts.items():
        model.add_module(key, part)


def _flat(model: nn.Module) -> Iterator[nn.Module]:
    """The parts of `model`, groups of blocks one by one."""
    for child in model.children():
        yield from child if isinstance(child, nn.ModuleList) else (child,)


class _Build(Draft):
    """The parts of a residual network."""

    def __init__(
        self, config: Residual, material: Spiking | Formal, input_shape: tuple[int, ...]
    ) -> None:
        super().__init__(type(config).__name__, material, input_shape)
        self.config = config

    def parts(self, classes: int) -> Iterator[tuple[str, nn.Module]]:
        """(name, module), in order."""
        first, *stages = self.config.stages()
        yield from self.average("prepool", self.config.prepool)
        yield from self.convolution(1, first)
        yield from self.maximum("pool1", first.pool)
        yield from self.unit(1)
        counts = zip(stages, self.config.num_blocks, strict=True)
        yield "layers", nn.ModuleList([self.group(i, *of) for i, of in enumerate(counts)])
        yield from self.readout(classes)

    def group(self, i: int, stage: Stage, count: int) -> nn.Module:
        """The i-th group of `count` blocks, only the first of which shrinks the map."""
        rest = evolve(stage, stride=1, pool=1, projected=False)
        stages = (stage, *[rest] * (count - 1))
        blocks = [self.block(f"layers.{i}.{k}", s) for k, s in enumerate(stages)]
        return nn.Sequential(*blocks)

    def block(self, name: str, stage: Stage) -> nn.Module:
        """One block; ConfigError where its two ways make different maps."""
        self.within = f"{name}."
        before, channels = self.map, self.channels
        parts = dict(self.body(stage))
        body, self.map, self.channels = self.map, before, channels
        parts.update(self.shortcut(stage))
        if self.map != body:
            what = (
                f"{name} makes {shown(body)} of a map of {shown(before)}, its shortcut "
                f"{shown(self.map)}, and the two are added"
            )
            hint = "an odd kernel keeps the map with a padding of half of it, rounded down"
            raise ConfigError(Fault(self.kind, what, hint=hint))
        self.within = ""
        return BasicBlock(parts, {} if self.material.sums_last else dict(self.unit("")))

    def body(self, stage: Stage) -> Iterator[tuple[str, nn.Module]]:
        """The two convolutions of a block."""
        yield from self.convolution(1, stage)
        yield from self.maximum("pool1", stage.pool)
        yield from self.unit(1)
        yield from self.convolution(2, evolve(stage, stride=1))
        if self.material.sums_last:
            yield from self.unit(2)

    def shortcut(self, stage: Stage) -> Iterator[tuple[str, nn.Module]]:
        """What brings a block's input to the shape of its output, nothing where it has it."""
        projected = stage.projected or stage.channels != self.channels
        if projected:
            bias = not self.config.batch_norm
            yield "sconv", self.conv("sconv", stage.channels, 1, stride=stage.stride, bias=bias)
            yield from self.normalisation("sbn")
        yield from self.maximum(self.config.shortcut_pool, stage.pool)
        if projected and self.material.sums_last:
            yield from self.unit("r")

    def readout(self, classes: int) -> Iterator[tuple[str, nn.Module]]:
        """From the last map to the classes."""
        if self.config.postpool == "sum":
            yield "conv2", self.conv("conv2", classes, 1)
            yield from self.unit(2)
            yield "gsp", getattr(ours, f"GlobalSumPool{self.dims}d")()
            return
        kind = {"max": "MaxPool", "avg": "AvgPool"}[self.config.postpool]
        yield "postpool", self.made(f"{kind}{self.dims}d", self.map)
        yield "flatten", self.made("Flatten")
        yield "linear", self.made("Linear", self.channels, classes)

    def convolution(self, number: int, stage: Stage) -> Iterator[tuple[str, nn.Module]]:
        """Convolution, batch normalisation if asked."""
        name, bias = f"conv{number}", not self.config.batch_norm
        sizes = (stage.channels, stage.kernel, stage.padding, stage.stride)
        yield name, self.conv(name, *sizes, bias=bias)
        yield from self.normalisation(f"bn{number}")

    def normalisation(self, name: str) -> Iterator[tuple[str, nn.Module]]:
        """Batch normalisation of the channels so far, if asked."""
        if self.config.batch_norm:
            momentum = self.config.bn_momentum
            yield name, self.made(f"BatchNorm{self.dims}d", self.channels, momentum=momentum)
