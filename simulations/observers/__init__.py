"""Independent observers: they see only what nodes write to disk and send, never their memory."""
