"""What snn-preprocessing-events offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl
from snn_preprocessing_events.grouping import Group2TimeStepsBySample
from snn_preprocessing_events.integration import (
    IntegrateEventsByFixedDuration,
    IntegrateEventsByFixedFramesNumber,
)
from snn_preprocessing_events.splitting import Split2TimeSteps


@hookimpl
def snnk_preprocessings() -> Iterable[Kind]:
    return [
        Kind("IntegrateEventsByFixedDuration", IntegrateEventsByFixedDuration),
        Kind("IntegrateEventsByFixedFramesNumber", IntegrateEventsByFixedFramesNumber),
        Kind("Group2TimeStepsBySample", Group2TimeStepsBySample),
        Kind("Split2TimeSteps", Split2TimeSteps),
    ]
