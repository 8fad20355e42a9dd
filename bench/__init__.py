"""The data path against a pandas script and a plain copy, measured side by side in one run."""
