"""Bayes by Backprop beside Hamiltonian Monte Carlo, the gold standard, on networks small enough for both."""
