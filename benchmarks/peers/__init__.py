"""Other implementations of Bayes by Backprop, each used as its documentation shows."""
