"""One optimiser step: forward, losses, backward, update, and its figures' way to the host."""
