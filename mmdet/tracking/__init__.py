"""Tracking: from the detections of frames to tracks. Importing the package registers the trackers."""

from mmdet.tracking.appearance_tracker import AppearanceTracker
from mmdet.tracking.state import TrackState
from mmdet.tracking.tracker import Tracker

__all__ = ["AppearanceTracker", "TrackState", "Tracker"]
