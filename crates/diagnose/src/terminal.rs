//! Sanitization and truncation of text for terminal output.
//!
//! The function [`clew_model::is_unsafe_display_char`] returns true for characters that this module escapes or replaces.

use std::borrow::Cow;
use std::fmt::Write as _;

use clew_model::is_unsafe_display_char;

use crate::utf8::bytes_to_text;

/// Converts bytes to a single line of trimmed text. Replaces each run of whitespace and unsafe characters with one space.
#[must_use]
pub fn bytes_to_single_line(bytes: &[u8]) -> String {
    clew_model::to_single_line(&bytes_to_text(bytes))
}

/// Escapes unsafe characters in multi-line text, for example as `\u{1b}`. Preserves line breaks and tabs.
#[must_use]
pub fn sanitize_multiline_text(text: &str) -> Cow<'_, str> {
    escape_unsafe_chars(text, |_| None)
}

/// Escapes unsafe characters in styled text. Preserves ANSI SGR sequences that only set or reset the text style.
#[must_use]
pub fn sanitize_styled_text(text: &str) -> Cow<'_, str> {
    escape_unsafe_chars(text, leading_sgr_sequence_length)
}

/// `preserved` returns the length of the text's leading sequence that must not be escaped, if any.
fn escape_unsafe_chars(text: &str, preserved: impl Fn(&str) -> Option<usize>) -> Cow<'_, str> {
    let is_replaced = |char: char| !matches!(char, '\n' | '\t') && is_unsafe_display_char(char);
    if !text.chars().any(is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let preserved_length = if rest.starts_with("\r\n") { Some(2) } else { preserved(rest) };
        let (head, tail) = rest.split_at(preserved_length.unwrap_or(char.len_utf8()));
        if preserved_length.is_none() && is_replaced(char) {
            let _ = write!(out, "{}", char.escape_unicode());
        } else {
            out.push_str(head);
        }
        rest = tail;
    }
    Cow::Owned(out)
}

const MAX_SGR_PARAMETER_BYTES: usize = 16;

/// Accepts only sequences that set or reset color, weight, dimming or italics, because other attributes can conceal text.
fn leading_sgr_sequence_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.bytes().take(MAX_SGR_PARAMETER_BYTES).position(|byte| !matches!(byte, b'0'..=b'9' | b';'))?;
    let (list, rest) = parameters.split_at_checked(end)?;
    let mut numbers = list.split(';');
    while let Some(number) = numbers.next() {
        let is_style = match number {
            "" | "0" | "1" | "2" | "3" | "22" | "23" | "39" => true,
            "38" => numbers.next() == Some("5") && numbers.next().is_some(),
            other => other.parse().is_ok_and(|number: u8| matches!(number, 30..=37 | 90..=97)),
        };
        if !is_style {
            return None;
        }
    }
    rest.starts_with('m').then_some(text.len() - rest.len() + 1)
}

/// Returns the width of a text in terminal columns. Each East Asian character or emoji occupies two columns.
#[must_use]
pub fn display_width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(char: char) -> usize {
    match char {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Truncates text to at most `limit` terminal columns. Truncated text ends with `…`.
#[must_use]
pub fn truncate_to_width(text: &str, limit: usize) -> String {
    if display_width(text) <= limit {
        return text.to_owned();
    }
    let mut truncated = String::new();
    let mut used = 0;
    for char in text.chars() {
        used += char_width(char);
        if used + 1 > limit {
            break;
        }
        truncated.push(char);
    }
    truncated.push('…');
    truncated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_truncated_by_width_without_control_characters() {
        assert_eq!(bytes_to_single_line(b"a\n\t b\x1b[31m\xff\0"), r"a b [31m\xff\x00");
        assert_eq!(bytes_to_single_line("a\u{202e}b\u{9b}2Jc\u{200b}d".as_bytes()), "a b 2Jc d");
        assert_eq!(truncate_to_width("abcdef", 6), "abcdef");
        assert_eq!(truncate_to_width("abcdef", 5), "abcd…");
        assert_eq!(truncate_to_width("会话会话", 6), "会话…");
        assert_eq!(display_width(&truncate_to_width("会话会话", 6)), 5);
    }

    /// One character of each unsafe kind.
    const UNSAFE: &[char] = &[
        '\0',
        '\u{7}',
        '\u{8}',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{9b}',
        '\u{9d}',
        '\u{9f}',
        '\u{ad}',
        '\u{34f}',
        '\u{115f}',
        '\u{180e}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{61c}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{feff}',
        '\u{e0041}',
    ];

    #[test]
    fn unsafe_characters_are_shown_as_escapes() {
        for &char in UNSAFE {
            let shown = format!("a{}b", char.escape_unicode());
            let text = format!("a{char}b");
            assert_eq!((&*sanitize_multiline_text(&text), &*sanitize_styled_text(&text)), (&*shown, &*shown));
            assert!(!bytes_to_single_line(text.as_bytes()).contains(char), "{shown}");
        }
        for safe in ["", "Grüße 会话 🧵 é\u{301}", "two\n\tlines\n", "\u{a0}"] {
            assert!(matches!(sanitize_multiline_text(safe), Cow::Borrowed(same) if same == safe), "{safe:?}");
        }
    }

    #[test]
    fn only_plain_styles_are_preserved() {
        let styled = "\u{1b}[1m\u{1b}[38;5;9mred\u{1b}[39m\u{1b}[0m \u{1b}[2;31mx\u{1b}[m";
        assert_eq!(sanitize_styled_text(styled), styled);
        assert_eq!(sanitize_multiline_text("\u{1b}[1m"), r"\u{1b}[1m");
        for sequence in [
            "[8m",
            "[7m",
            "[2J",
            "[1;8m",
            "[38;2;1;2;3m",
            "]0;t\u{7}",
            "[1",
            "[",
            "",
            "[1;;;;;;;;;;;;;;;;;;;;m",
            "[38m",
        ] {
            let text = format!("\u{1b}{sequence}");
            assert!(!sanitize_styled_text(&text).contains('\u{1b}'), "{text:?}");
        }
    }
}
