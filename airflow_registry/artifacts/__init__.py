"""Where bytes are kept: content-addressed, written once, verified at every use."""
