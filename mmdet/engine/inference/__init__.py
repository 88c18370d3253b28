"""From frames to tracks: the detector, one stream per video, and the tracks of a frame with their names."""
