"""Where rows flow: inputs in bounded batches, predictions, outputs that appear whole or not at all."""
