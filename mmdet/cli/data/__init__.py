"""Commands about data sets: check, look at, split and make them."""
