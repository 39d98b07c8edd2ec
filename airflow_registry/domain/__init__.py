"""What is true: values and decisions. No input or output, no clock, no environment."""
