"""Training and inference, on top of all other packages."""
