"""Motion heat maps: where, and when, did things move."""
