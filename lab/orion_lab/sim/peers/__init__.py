"""What others do: re-implementations of their published rules, not the products."""
