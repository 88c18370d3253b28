"""A process and those beside it: command line, start, device, precision, signals and its end."""
