"""Label Studio: tasks of videos and of their frames, with boxes through time, brush masks and polygons."""
