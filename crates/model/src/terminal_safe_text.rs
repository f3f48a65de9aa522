//! Converts server-supplied text to a single line without terminal control characters.

/// Returns true if a character can control a terminal, change the text direction, or hide text.
///
/// Unsafe characters include control characters (C0, DEL, C1, bidirectional), line separators and paragraph separators.
/// The blank Braille pattern and `Default_Ignorable_Code_Point` characters are unsafe because they are invisible.
#[must_use]
pub fn is_unsafe_display_char(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Converts text to a single trimmed line. Replaces each run of whitespace and unsafe characters with one space.
#[must_use]
pub fn to_single_line(text: &str) -> String {
    let words =
        text.split(|char: char| is_unsafe_display_char(char) || char.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
