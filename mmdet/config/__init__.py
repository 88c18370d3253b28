"""Configs: their sections, loading with overrides, checks before anything is built, and building."""

from mmdet.config.loading import check_config_file, load_config
from mmdet.config.sections import (
    AMP_NAMES,
    AmpName,
    CustomImports,
    DataSection,
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
    "RunConfig",
    "RuntimeSection",
    "ScheduleSection",
    "EvalData",
    "TrainData",
    "check_config_file",
    "load_config",
]
