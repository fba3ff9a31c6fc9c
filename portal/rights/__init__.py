"""Rules, ceilings, and the decision "may this person buy this, and why"."""
