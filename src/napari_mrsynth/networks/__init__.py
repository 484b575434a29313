"""Building blocks of networks, and the registry that names whole ones."""
