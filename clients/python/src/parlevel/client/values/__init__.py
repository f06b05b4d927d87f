"""What goes into and comes out of the client: frozen values, one file per noun."""
