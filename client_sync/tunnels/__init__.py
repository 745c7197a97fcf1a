"""What both layouts share: interfaces that the daemon makes itself, and the routes and rules that lead into them."""
