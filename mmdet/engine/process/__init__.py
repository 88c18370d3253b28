"""Control of the processes of a run: command line, start, device, precision, signals and how they end."""
