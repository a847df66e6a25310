"""The operations of every backend, beside the other ways to do the same."""
