"""What the scripts share. Nothing here reads the command line."""
