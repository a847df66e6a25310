"""Eye-tracking exports: fixations and gaze on a reference image or surface, read into one typed table."""

from gpuheat.inputs.eyetracking.find import find_export, find_reference_image
from gpuheat.inputs.eyetracking.read import read_eyetracking
from gpuheat.inputs.eyetracking.result import EyeTracking

__all__ = ["EyeTracking", "find_export", "find_reference_image", "read_eyetracking"]
