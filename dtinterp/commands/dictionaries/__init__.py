"""Commands that fit dictionaries, transcoders and probes, and judge them."""
