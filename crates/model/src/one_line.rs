//! Text of a server in messages: on one line, without characters that drive a terminal.

/// Whether a character can drive a terminal, change the direction of writing, or hide text: C0, DEL, C1, bidirectional controls,
/// zero-width characters, line and paragraph separators, interlinear annotations and tags.
#[must_use]
pub fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text on one line without unsafe characters: they become spaces, and a run of spaces becomes one.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|char: char| is_unsafe(char) || char.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
