//! Window functions against a slow twin.
