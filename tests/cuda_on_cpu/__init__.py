"""Runs unchanged CUDA C on the CPU: g++ compiles it, NumPy holds the device's memory, CuPy's calls launch it."""
