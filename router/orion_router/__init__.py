"""The router: gateway, intake, planner. Decides which board serves which request, and answers clients."""
