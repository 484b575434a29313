"""Recorded, invertible steps between a scan as read and what a network sees."""
