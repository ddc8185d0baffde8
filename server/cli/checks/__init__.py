"""What `warmline doctor` looks at: one module per part, each giving findings with what to do about them.

Only what this version has is looked at. Nothing is changed, and no finding holds a password or a key.
"""
