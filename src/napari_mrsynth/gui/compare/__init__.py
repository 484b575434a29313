"""The dock “Compare”: a prediction against its truth, looked at in several ways and measured."""
