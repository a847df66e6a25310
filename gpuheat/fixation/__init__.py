"""Fixation heat maps: where did people look."""
