"""The policy study: which runs there are, their figures, the targets, the page and its pictures."""
