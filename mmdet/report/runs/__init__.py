"""Training runs side by side: their figures, curves, and the config values in which they differ."""
