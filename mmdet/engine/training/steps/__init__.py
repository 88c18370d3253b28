"""One optimiser step: forward, losses, backward, update, and the copy of its figures to the host."""
