"""Configs: what one may say, how a file becomes that, and how mistakes in it are found before anything is built."""

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
