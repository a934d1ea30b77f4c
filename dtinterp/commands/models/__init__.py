"""Commands that make and measure decision transformers."""
