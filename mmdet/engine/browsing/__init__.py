"""Look at what the model sees: training pairs as it gets them and the points that learn them, drawn on sheets."""
