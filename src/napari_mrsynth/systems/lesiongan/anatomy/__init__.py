"""Random anatomy: structural feature maps and their brain masks, drawn from normal noise."""
