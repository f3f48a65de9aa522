//! What a snapshot could not show, said beside it.

use clew_model::Limitation;

/// A limitation in three lines.
pub(crate) fn describe(limitation: &Limitation) -> String {
    let remedy = limitation.remedy.as_ref().map_or(String::new(), |remedy| format!("  to mend it: {remedy}\n"));
    format!("note: {}\n  why: {}\n{remedy}", limitation.what, limitation.why)
}

/// All of them.
pub(crate) fn describe_all(limitations: &[Limitation]) -> String {
    limitations.iter().map(describe).collect()
}
