//! What a snapshot could not show, said beside it.

use clew_diagnose::terminal::one_line;
use clew_model::Limitation;

/// A limitation in three lines.
pub(crate) fn describe(limitation: &Limitation) -> String {
    let line = |text: &str| one_line(text.as_bytes());
    let remedy = limitation.remedy.as_ref().map_or(String::new(), |remedy| format!("  fix: {}\n", line(remedy)));
    format!("note: {}\n  why: {}\n{remedy}", line(&limitation.what), line(&limitation.why))
}

/// All of them.
pub(crate) fn describe_all(limitations: &[Limitation]) -> String {
    limitations.iter().map(describe).collect()
}
