"""What is shown to whom: each page asks a function of the house, as the person who looks, and lays out the answer."""
