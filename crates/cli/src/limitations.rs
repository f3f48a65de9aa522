//! Formats notes about data that Clew cannot read, with reasons and fixes.

use clew_diagnose::terminal::bytes_to_single_line;
use clew_model::Limitation;

pub(crate) fn format_limitation(limitation: &Limitation) -> String {
    let line = |text: &str| bytes_to_single_line(text.as_bytes());
    let remedy =
        limitation.remedy.as_ref().map_or(String::new(), |remedy| format!("  fix: {}\n", line(&remedy.english)));
    format!("note: {}\n  reason: {}\n{remedy}", line(&limitation.what.english), line(&limitation.why.english))
}

pub(crate) fn format_limitations(limitations: &[Limitation]) -> String {
    limitations.iter().map(format_limitation).collect()
}
