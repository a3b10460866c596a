"""What the planner learns from finished requests. Pure: moments come in, figures come out."""
