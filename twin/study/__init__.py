"""Sun and sight questions about a scene, and pictures of it."""
