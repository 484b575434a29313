"""One module per published table: the same question, asked of this project's models and of plain methods."""
