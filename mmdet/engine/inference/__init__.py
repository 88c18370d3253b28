"""From frames to tracks: a stream a video, and what it takes."""
