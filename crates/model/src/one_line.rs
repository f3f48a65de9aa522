//! Text of a server in messages: on one line, without characters that drive a terminal.

/// Whether a character can drive a terminal, change the direction of writing, or hide text: C0, DEL, C1, bidirectional controls,
/// line and paragraph separators, and characters that are not drawn (`Default_Ignorable_Code_Point` of Unicode, empty Braille).
#[must_use]
pub fn is_unsafe(char: char) -> bool {
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

/// The text on one line without unsafe characters: they become spaces, and a run of spaces becomes one.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|char: char| is_unsafe(char) || char.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
