"""Training and prediction: the only package that knows all the others."""
