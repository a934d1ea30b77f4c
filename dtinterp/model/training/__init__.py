"""Training of decision transformers: one model, many processes, or a sweep of sizes and seeds."""
