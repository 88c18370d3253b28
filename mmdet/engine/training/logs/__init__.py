"""What a training run tells: its text log, JSON lines, and sinks such as TensorBoard."""
