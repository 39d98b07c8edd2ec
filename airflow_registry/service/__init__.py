"""What one may do: one module per verb, one transaction per call."""
