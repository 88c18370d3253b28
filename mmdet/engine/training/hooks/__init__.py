"""What a user's own code does in the course of a training run: hooks, what they see, and when they are called."""

from mmdet.engine.training.hooks.contract import TrainingHook
from mmdet.engine.training.hooks.training_run import TrainingRun

__all__ = ["TrainingHook", "TrainingRun"]
