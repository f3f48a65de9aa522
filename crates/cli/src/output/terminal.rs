//! Writer that sanitizes terminal output.

use std::io::{self, Write};

use clew_diagnose::terminal::{sanitize_multiline_text, sanitize_styled_text};

const MAX_INCOMPLETE_SEQUENCE_BYTES: usize = 16;

/// Replaces each invalid UTF-8 byte with `\xNN`.
#[derive(Debug)]
pub(crate) struct TerminalSanitizer<W: Write> {
    inner: W,
    /// Preserves escape sequences for colors and bold text.
    styled: bool,
    incomplete: Vec<u8>,
}

impl<W: Write> TerminalSanitizer<W> {
    pub(crate) fn new(inner: W, styled: bool) -> Self {
        Self { inner, styled, incomplete: Vec::new() }
    }

    fn write_sanitized(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = clew_diagnose::bytes_to_text(bytes);
        let text = if self.styled { sanitize_styled_text(&text) } else { sanitize_multiline_text(&text) };
        self.inner.write_all(text.as_bytes())
    }
}

/// Excludes a character, line break or escape sequence that is cut off at the end.
fn complete_prefix_len(bytes: &[u8]) -> usize {
    let tail_start = bytes.len().saturating_sub(MAX_INCOMPLETE_SEQUENCE_BYTES);
    let tail = bytes.get(tail_start..).unwrap_or_default();
    if let Some(at) = tail.iter().rposition(|&byte| byte == b'\x1b' || byte == b'\r')
        && !tail.get(at..).unwrap_or_default().iter().any(|byte| matches!(byte, b'm' | b'\n'))
    {
        return tail_start + at;
    }
    let lead = tail.iter().rposition(|&byte| byte & 0xc0 != 0x80).unwrap_or(0);
    match std::str::from_utf8(tail.get(lead..).unwrap_or_default()) {
        Err(error) if error.error_len().is_none() => tail_start + lead,
        _ => bytes.len(),
    }
}

impl<W: Write> Write for TerminalSanitizer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.incomplete);
        all.extend_from_slice(bytes);
        self.incomplete = all.split_off(complete_prefix_len(&all));
        self.write_sanitized(&all)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.incomplete);
        self.write_sanitized(&rest)?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_in_chunks(text: &[u8], styled: bool, size: usize) -> String {
        let mut out = Vec::new();
        let mut writer = TerminalSanitizer::new(&mut out, styled);
        text.chunks(size).for_each(|chunk| writer.write_all(chunk).unwrap());
        writer.flush().unwrap();
        drop(writer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn output_does_not_depend_on_the_chunk_size() {
        let text = "\u{1b}[1m会话\u{1b}[0m,\u{9b}2J\u{202e}x\r\n🧵\rend\u{1b}".as_bytes();
        for size in 1..=text.len() {
            assert_eq!(
                write_in_chunks(text, false, size),
                "\\u{1b}[1m会话\\u{1b}[0m,\\u{9b}2J\\u{202e}x\r\n🧵\\u{d}end\\u{1b}"
            );
            let styled = "\u{1b}[1m会话\u{1b}[0m,\\u{9b}2J\\u{202e}x\r\n🧵\\u{d}end\\u{1b}";
            assert_eq!(write_in_chunks(text, true, size), styled, "{size}");
        }
        assert_eq!(write_in_chunks(b"a\xffb\xe9", false, 1), "a\\xffb\\xe9");
    }
}
