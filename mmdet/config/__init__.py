"""Configs: their sections, loading with overrides, checks before anything is built, and building."""

from mmdet.config.loading import load_config
from mmdet.config.names import find_config
from mmdet.config.sections import (
    AMP_NAMES,
    AmpName,
    CustomImports,
    DataSection,
    EarlyStopSection,
    EmaSection,
    EvalData,
    RunConfig,
    RuntimeSection,
    ScheduleSection,
    TrainData,
)

__all__ = [
    "AMP_NAMES",
    "AmpName",
    "CustomImports",
    "DataSection",
    "EarlyStopSection",
    "EmaSection",
    "RunConfig",
    "RuntimeSection",
    "ScheduleSection",
    "EvalData",
    "TrainData",
    "find_config",
    "load_config",
]
