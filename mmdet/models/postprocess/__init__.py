"""From the head's outputs to detections and their masks."""
