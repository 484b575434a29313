"""The pieces of the dock: each shows what it is given and says by signals what the user did."""
