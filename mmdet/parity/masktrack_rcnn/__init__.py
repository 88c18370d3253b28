"""Numbers recorded with the published MaskTrack R-CNN, compared (BASELINES.md 3 and 7)."""
