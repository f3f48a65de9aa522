//! Writes log lines to stderr, as text if stderr is a terminal and otherwise as JSON.

use std::io::{self, IsTerminal, Write};

use clew_diagnose::json::escape_unsafe_chars;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields};

use crate::error::{CliError, ResultExt};
use crate::output::TerminalSanitizer;

pub(crate) fn init_logging(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).with_refusal_context(format_args!("invalid log filter {filter:?}"))?;
    // Internal errors are not logged, because reporting a write error to stderr would panic if stderr is a closed pipe,
    // for example after `clew serve 2>&1 | head`.
    if io::stderr().is_terminal() {
        // A field can contain a message from a server, so escape sequences are removed and ANSI colors are disabled.
        let logs = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
        let writer = || TerminalSanitizer::new(io::stderr(), false);
        logs.with_target(false).with_ansi(false).with_writer(writer).init();
    } else {
        let logs = json_log_builder().with_env_filter(filter).log_internal_errors(false);
        logs.with_writer(|| JsonLogWriter(io::stderr())).init();
    }
    Ok(())
}

fn json_log_builder() -> SubscriberBuilder<JsonFields, Format<Json>> {
    tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false)
}

/// Each call to `write` receives one complete JSON log line.
struct JsonLogWriter<W>(W);

impl<W: Write> Write for JsonLogWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(escape_unsafe_chars(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn line_contains_the_event_and_its_span_without_control_characters() {
        let buffer = SharedBuffer::default();
        let writer = buffer.clone();
        let logs = json_log_builder().with_writer(move || JsonLogWriter(writer.clone()));
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(text = "a \"b\"\n", count = 3_u64, less = -1, right = true, seconds = 0.5, "logged {}", 1);
            let outer = tracing::info_span!("outer", id = "x", late = tracing::field::Empty).entered();
            tracing::info!(error = %"no\u{9b}", list = ?["a"], "within");
            tracing::info_span!("bare").in_scope(|| tracing::info!("deep"));
            outer.record("late", 2);
            tracing::info!("recorded");
            drop(outer);
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("no\\u009b"), "{text}");
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(timestamp.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
        }
        let target = module_path!();
        let expected = json!([
            { "level": "WARN", "message": "logged 1", "text": "a \"b\"\n", "count": 3, "less": -1, "right": true, "seconds": 0.5, "target": target },
            { "level": "INFO", "message": "within", "error": "no\u{9b}", "list": "[\"a\"]", "target": target, "span": { "id": "x", "name": "outer" } },
            { "level": "INFO", "message": "deep", "target": target, "span": { "name": "bare" } },
            { "level": "INFO", "message": "recorded", "target": target, "span": { "id": "x", "late": 2, "name": "outer" } },
        ]);
        assert_eq!(json!(lines), expected);
    }
}
