"""True and predicted tracks: checked, grouped by video, and their overlaps."""
