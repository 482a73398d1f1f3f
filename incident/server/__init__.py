"""The HTTP faces: three separate apps that share nothing but the rooms above them."""
