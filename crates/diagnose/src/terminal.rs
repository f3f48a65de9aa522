//! Text for terminals: of strangers, and no wider than there is room.

use crate::text::clean;

/// Any bytes as one line that does nothing to a terminal: control characters, and those that turn the writing direction, become
/// spaces, and runs of spaces one.
#[must_use]
pub fn one_line(bytes: &[u8]) -> String {
    let text = clean(bytes);
    let harmless = |char: char| {
        !char.is_control()
            && !matches!(char, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let even: String = text.chars().map(|char| if harmless(char) { char } else { ' ' }).collect();
    even.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns of a terminal that a text takes: East Asian letters and pictures take two.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

fn width(char: char) -> usize {
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

/// The text in at most so many columns, with `…` where it was cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for char in text.chars() {
        used += width(char);
        if used + 1 > limit {
            break;
        }
        kept.push(char);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_by_columns_and_do_nothing_to_a_terminal() {
        assert_eq!(one_line(b"a\n\t b\x1b[31m\xff\0"), r"a b [31m\xff\x00");
        assert_eq!(one_line("a\u{202e}b".as_bytes()), "a b");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("会话会话", 6), "会话…");
        assert_eq!(columns(&cut("会话会话", 6)), 5);
    }
}
