"""Data sets before they are used: find, convert, split and check them."""
