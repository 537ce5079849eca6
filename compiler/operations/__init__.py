"""Operations of the compiler's own, which rewrites put into the s-op graph and the language does not have."""
