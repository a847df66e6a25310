"""Measurements of gpuheat beside its peers: ``python -m benchmarks``."""
