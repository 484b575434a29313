"""Bad inputs: files and models that are wrong in one way each, and the answers they must get."""
