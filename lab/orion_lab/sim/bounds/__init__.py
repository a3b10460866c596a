"""How good a schedule can be: lower bounds, and the best schedule found with full knowledge."""
