"""What snn-preprocessing-events offers."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_preprocessings() -> Iterable[Kind]:
    return [
        Kind(
            "IntegrateEventsByFixedDuration",
            "snn_preprocessing_events.integration:IntegrateEventsByFixedDuration",
        ),
        Kind(
            "IntegrateEventsByFixedFramesNumber",
            "snn_preprocessing_events.integration:IntegrateEventsByFixedFramesNumber",
        ),
        Kind(
            "Group2TimeStepsBySample", "snn_preprocessing_events.grouping:Group2TimeStepsBySample"
        ),
        Kind("Split2TimeSteps", "snn_preprocessing_events.splitting:Split2TimeSteps"),
    ]
