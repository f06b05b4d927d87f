"""Series in classes: by value, variability, speed and pattern, and by likeness."""
