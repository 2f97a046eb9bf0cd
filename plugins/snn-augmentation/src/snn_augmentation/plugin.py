"""What snn-augmentation offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl

MODULES = {
    "noise": ("GaussianNoise", "ExponentialNoise"),
    "image": ("HorizontalFlip", "Rotation2D", "Crop", "ResizedCrop"),
    "signal": ("Cutout1D", "TimeShifting", "Amplitude"),
    "mixup": ("Mixup",),
    "normalize": ("Normalize",),
}


@hookimpl
def snnk_augmentations() -> Iterable[Kind]:
    return [
        Kind(name, f"snn_augmentation.{module}:{name}")
        for module, names in MODULES.items()
        for name in names
    ]
