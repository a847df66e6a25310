"""From a video file to the heat map, beside the plain recipe and beside decoding alone."""
