"""Tracking: from the detections of frames to tracks. Importing the package registers the tracker."""

from mmdet.tracking.state import TrackState
from mmdet.tracking.tracker import Tracker

__all__ = ["TrackState", "Tracker"]
