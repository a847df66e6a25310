"""The files that a run writes, in the order of their names, where nothing more is asked for."""

from __future__ import annotations

__all__ = ["FIXATION_FILES", "MOTION_FILES"]

PICTURES = ["background.jpg", "figure.png", "heatmap.png", "overlay.png", "report.html", "summary.json"]
MOTION_FILES = sorted([*PICTURES, "activity.csv", "counts.npy"])
FIXATION_FILES = sorted([*PICTURES, "histogram.npy"])
