"""For whoever answers requests with a champion: a handle that follows promotions, and serves on when the registry is away."""
