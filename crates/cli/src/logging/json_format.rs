//! Formats log lines as JSON. The formatter is optimized for speed, because every request writes a log line.
//! The JSON formatter of `tracing-subscriber` is slower: it parses span fields and writes each token separately.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Initial capacity of the buffer for a log line. The log line of an HTTP request fits without a reallocation.
const INITIAL_LOG_LINE_CAPACITY_BYTES: usize = 512;
const TIMESTAMP_PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Log format that writes one JSON object per line.
/// Each JSON object contains the timestamp, the level, the event fields, the target and the current span.
pub(super) struct JsonLogFormat;

impl<'w> FormatFields<'w> for JsonLogFormat {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut object = JsonObjectWriter::new();
        fields.record(&mut object);
        writer.write_str(&object.finish())
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut object = JsonObjectWriter::from_serialized_object(&current.fields);
        fields.record(&mut object);
        current.fields = object.finish();
        Ok(())
    }
}

impl<S> FormatEvent<S, JsonLogFormat> for JsonLogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonLogFormat>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = JsonObjectWriter::new();
        line.write_field("timestamp", &TIMESTAMP_PRINTER.timestamp_to_string(&Timestamp::now()));
        line.write_field("level", event.metadata().level().as_str());
        event.record(&mut line);
        line.write_field("target", event.metadata().target());
        if let Some(span) = context.parent_span() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonLogFormat>>().map_or("{}", |fields| fields.as_str());
            line.write_object_with_extra_field("span", fields, "name", span.name());
        }
        writer.write_str(&clew_diagnose::json::escape_unsafe_chars(&line.finish()))?;
        writer.write_char('\n')
    }
}

struct JsonObjectWriter(Vec<u8>);

impl JsonObjectWriter {
    fn new() -> Self {
        let mut text = Vec::with_capacity(INITIAL_LOG_LINE_CAPACITY_BYTES);
        text.push(b'{');
        Self(text)
    }

    fn from_serialized_object(object: &str) -> Self {
        Self(object.strip_suffix('}').unwrap_or("{").as_bytes().to_vec())
    }

    fn write_field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.write_field_name(name);
        // Numbers and text can always be serialized; if serialization fails anyway, `null` keeps the line valid.
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.extend_from_slice(b"null");
        }
    }

    /// Writes `object` as the field `name`, and adds the field `extra_name` to the object.
    fn write_object_with_extra_field(&mut self, name: &str, object: &str, extra_name: &str, extra_value: &str) {
        self.write_field_name(name);
        self.0.extend_from_slice(object.strip_suffix('}').unwrap_or("{").as_bytes());
        self.write_field(extra_name, extra_value);
        self.0.push(b'}');
    }

    fn write_field_name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        // Field names are constants in the code and need no escaping.
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn finish(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}

macro_rules! record_as_json {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(&mut self, field: &Field, value: $type) {
            self.write_field(field.name(), &value);
        })*
    };
}

impl Visit for JsonObjectWriter {
    record_as_json!(record_f64: f64, record_i64: i64, record_u64: u64, record_bool: bool, record_str: &str);

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write_field(field.name(), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
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
    fn line_contains_the_event_and_its_span() {
        let buffer = SharedBuffer::default();
        let writer = buffer.clone();
        let logs = tracing_subscriber::fmt()
            .fmt_fields(JsonLogFormat)
            .event_format(JsonLogFormat)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(text = "a \"b\"\n", count = 3_u64, less = -1, right = true, seconds = 0.5, "logged {}", 1);
            let outer = tracing::info_span!("outer", id = "x", late = tracing::field::Empty).entered();
            tracing::info!(error = %"no", list = ?["a"], "within");
            tracing::info_span!("bare").in_scope(|| tracing::info!("deep"));
            outer.record("late", 2);
            tracing::info!("recorded");
            drop(outer);
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(timestamp.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
        }
        let target = module_path!();
        let expected = json!([
            { "level": "WARN", "message": "logged 1", "text": "a \"b\"\n", "count": 3, "less": -1, "right": true, "seconds": 0.5, "target": target },
            { "level": "INFO", "message": "within", "error": "no", "list": "[\"a\"]", "target": target, "span": { "id": "x", "name": "outer" } },
            { "level": "INFO", "message": "deep", "target": target, "span": { "name": "bare" } },
            { "level": "INFO", "message": "recorded", "target": target, "span": { "id": "x", "late": 2, "name": "outer" } },
        ]);
        assert_eq!(json!(lines), expected);
    }
}
