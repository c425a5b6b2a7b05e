"""Tuning of the overlay by walk-forward CMA-ES: a new setting has to earn its place.

objective  what a setting costs: margin, shortfall, margin calls; and its hard constraints
search     CMA-ES inside the trust region; every evaluation counted
accept     block bootstrap of the improvement on data the search has not seen
walk       year by year: search, accept or keep, score what follows
"""
