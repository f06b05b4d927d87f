"""The questions of each noun, as attributes of both clients."""
