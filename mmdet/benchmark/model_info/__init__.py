"""What a model is made of: parameters, operations, activations, and what its levels see."""
