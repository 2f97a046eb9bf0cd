"""MLP, the formal multilayer perceptron, and the parameters that it shares with SMLP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen
from attrs.validators import optional

from snn_kernel import Shapes
from snn_models import checks

if TYPE_CHECKING:
    from snn_models.perceptron import Perceptron


@frozen(kw_only=True)
class Layered(ABC):
    """What spiking and formal multilayer perceptrons have in common."""

    units: tuple[int, ...] = field(validator=[checks.filled, checks.least(1)])
    input_shape: tuple[int, ...] | None = field(
        default=None, validator=optional([checks.filled, checks.least(1)])
    )
    output_shape: tuple[int, ...] | None = field(default=None, validator=optional(checks.least(1)))

    def __attrs_post_init__(self) -> None:
        checks.refuse(checks.classes(self))

    def check(self, plan: Any, place: str) -> Iterator[Any]:
        """Networks need a framework of their kind, spiking or formal; a neuron may need more."""
        yield from checks.whole(self, plan, place)

    @abstractmethod
    def build(self, shapes: Shapes, session: Any) -> Any:
        """The network as a torch module, with random weights."""


@frozen(kw_only=True)
class MLP(Layered):
    """A formal multilayer perceptron, the twin of SMLP with ReLU in place of neurons.

    The sample flattened, channels first, then for each of `units` a linear layer and ReLU, then the
    linear layer to the classes.

    units: sizes of the hidden layers.
    input_shape: of one sample, channels last (default: that of the data).
    output_shape: [classes] (default: those of the data).
    """

    example: ClassVar[dict[str, Any]] = {"units": [16]}

    def build(self, shapes: Shapes, session: Any) -> Perceptron:
        """The network as a torch module, with random weights; ConfigError where the data has
        timesteps."""
        from snn_models.perceptron import Perceptron

        checks.timesteps(self, shapes)
        shape, classes = self.input_shape or shapes.input, self.output_shape or shapes.output
        return Perceptron(self, shape, classes)
