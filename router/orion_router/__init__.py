"""The router: gateway, intake, planner. Decides which board serves what, and answers clients."""
