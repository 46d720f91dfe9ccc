"""The web panel: watch and drive an adaptation from a browser on this machine."""
