"""The dock “Structure maps”: a scan's structural feature map, live on the displayed slice."""
