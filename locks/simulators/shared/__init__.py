"""What the simulated lock systems have in common: lines that can be cut, the control door, how they are started."""
