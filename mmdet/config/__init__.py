"""Configs: their sections, loading with overrides, checks before anything is built, and building."""

from mmdet.config.loading import check_config_file, load_config
from mmdet.config.sections import (
    AMP_NAMES,
    AmpName,
    CustomImports,
    DataSection,
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
    "EmaSection",
    "RunConfig",
    "RuntimeSection",
    "ScheduleSection",
    "EvalData",
    "TrainData",
    "check_config_file",
    "load_config",
]
