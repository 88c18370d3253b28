"""What sends frames: cameras and addresses. Of live ones the newest frame is read, of files all are."""
