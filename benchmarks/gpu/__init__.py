"""Measurements on an NVIDIA GPU: ``python -m benchmarks gpu``."""
