"""Every hot loop of gpuheat, and nothing else. Imports nothing from the rest of the package."""
