"""The “Training” dock: fine-tune a model on one's own scans, or train one, in a process of its own."""
