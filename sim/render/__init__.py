"""Cameras and what they see: policy images by casting rays, video frames by OpenGL."""
