"""Sets before they are used: find them and check them."""
