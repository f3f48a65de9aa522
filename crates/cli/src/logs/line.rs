//! A line of the log as JSON. Every request has one, so it is written straight: the library's own formatter reads what it has written of
//! a span back, and hands each word over by itself.

use std::fmt;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Bytes that hold the line of a request.
const USUAL_LENGTH: usize = 512;

/// One object a line: moment, level, the event's fields, target, and the span that it happened in.
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result
    where
        JsonFields: for<'a> FormatFields<'a>,
    {
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        let mut line = Object::begin();
        line.put("timestamp", &now);
        line.put("level", event.metadata().level().as_str());
        event.record(&mut line);
        line.put("target", event.metadata().target());
        if let Some(span) = context.parent_span() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map_or("{}", |fields| fields.as_str());
            line.put_object("span", fields, "name", span.name());
        }
        writeln!(writer, "{}", clew_diagnose::json::escape(&line.end()))
    }
}

/// A JSON object in the making.
struct Object(Vec<u8>);

impl Object {
    fn begin() -> Self {
        let mut text = Vec::with_capacity(USUAL_LENGTH);
        text.push(b'{');
        Self(text)
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        // Numbers, text and what is shown as text can always be written; a hole would spoil the line.
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.extend_from_slice(b"null");
        }
    }

    /// An object that is written already, with one more of text in it.
    fn put_object(&mut self, name: &str, object: &str, more: &str, value: &str) {
        self.name(name);
        self.0.extend_from_slice(object.strip_suffix('}').unwrap_or("{").as_bytes());
        self.put(more, value);
        self.0.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        // The names of fields are words of this code.
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn end(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}

impl Visit for Object {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_holds_the_event_and_its_span() {
        let written = Written::default();
        let writer = written.clone();
        let logs = tracing_subscriber::fmt().json().event_format(JsonLine).with_writer(move || writer.clone());
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(text = "a \"b\"\n", count = 3_u64, less = -1, right = true, seconds = 0.5, "said {}", 1);
            let outer = tracing::info_span!("outer", id = "x").entered();
            tracing::info!(error = %"no", list = ?["a"], "within");
            tracing::info_span!("bare").in_scope(|| tracing::info!("deep"));
            drop(outer);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            let moment = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(moment.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{moment}");
        }
        let target = module_path!();
        let expected = json!([
            { "level": "WARN", "message": "said 1", "text": "a \"b\"\n", "count": 3, "less": -1, "right": true, "seconds": 0.5, "target": target },
            { "level": "INFO", "message": "within", "error": "no", "list": "[\"a\"]", "target": target, "span": { "id": "x", "name": "outer" } },
            { "level": "INFO", "message": "deep", "target": target, "span": { "name": "bare" } },
        ]);
        assert_eq!(json!(lines), expected);
    }
}
