"""The nouns: frozen values with checked constructors and read-only arrays."""
