//! Statements without their literals.

/// The template of a statement: the statement with `?` for each literal.
#[must_use]
pub fn template(_statement: &[u8]) -> Vec<u8> {
    b"?".to_vec()
}
