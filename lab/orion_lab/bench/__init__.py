"""`make bench`: what the product costs on top of the boards, beside a floor and a peer."""
