"""What snn-augmentation offers."""

from collections.abc import Iterable

from snn_augmentation.image import Crop, HorizontalFlip, ResizedCrop, Rotation2D
from snn_augmentation.mixup import Mixup
from snn_augmentation.noise import ExponentialNoise, GaussianNoise
from snn_augmentation.normalize import Normalize
from snn_augmentation.signal import Amplitude, Cutout1D, TimeShifting
from snn_kernel import Kind, hookimpl

KINDS = (
    *(GaussianNoise, ExponentialNoise, HorizontalFlip, Rotation2D, Crop, ResizedCrop),
    *(Cutout1D, Mixup, TimeShifting, Amplitude, Normalize),
)


@hookimpl
def snnk_augmentations() -> Iterable[Kind]:
    return [Kind(kind.__name__, kind) for kind in KINDS]
