"""Commands about results: score them, show them, pack them."""
