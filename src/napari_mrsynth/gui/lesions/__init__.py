"""The dock “Lesion studio”: paint lesions with named classes, stamp real ones, draw random ones."""
