"""From frames to tracks: the detector, one stream per video, and testing on whole data sets."""
