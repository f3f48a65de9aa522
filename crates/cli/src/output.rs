//! Writes output to terminals, pipes, device files and regular files. Replaces existing regular files atomically.
//! `clew_diagnose::terminal` sanitizes text output. `clew_diagnose::json` escapes control characters in JSON output.

mod terminal;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use clew_diagnose::terminal::{sanitize_multiline_text, sanitize_styled_text};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::error::{CliError, ResultExt};
pub(crate) use terminal::TerminalSanitizer;

const STDOUT_DISPLAY_NAME: &str = "the output";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CommandOutputFormat {
    /// Human-readable table
    Table,
    /// JSON object
    Json,
}

impl CommandOutputFormat {
    pub(crate) fn print(self, table: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), CliError> {
        write_stdout(&match self {
            Self::Table => table(),
            Self::Json => to_json_text(&json())?,
        })
    }
}

pub(crate) fn to_json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, CliError> {
    let json = clew_diagnose::json::to_string_pretty(value);
    json.map(|json| json + "\n").with_failure_context("could not write JSON")
}

pub(crate) fn merge_json_objects(value: Value, more: Value) -> Value {
    match (value, more) {
        (Value::Object(mut fields), Value::Object(more)) => {
            fields.extend(more);
            Value::Object(fields)
        }
        (value, _) => value,
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OutputTarget {
    Stdout,
    DeviceOrPipe(PathBuf),
    /// If the path is a symbolic link, Clew writes to the link's target.
    File(PathBuf),
}

impl OutputTarget {
    pub(crate) fn from_path(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Stdout;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {
                Self::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
            }
            Ok(metadata) if !metadata.is_dir() => Self::DeviceOrPipe(path.to_owned()),
            _ => Self::File(path.to_owned()),
        }
    }
}

pub(crate) fn open_device_or_pipe(path: &Path) -> Result<File, CliError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| CliError::from_write_error(&path.display().to_string(), &error))
}

/// The file is in the directory of `path`, so that it can be renamed to `path` atomically.
pub(crate) fn create_temporary_file(path: &Path) -> Result<NamedTempFile, CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder).with_failure_context(format_args!("could not write in {}", folder.display()))
}

pub(crate) fn persist_temporary_file(file: NamedTempFile, path: &Path) -> Result<(), CliError> {
    let persisted = file.persist(path).map(|_| ());
    persisted.map_err(|error| CliError::from_write_error(&path.display().to_string(), &error.error))
}

/// The buffer size equals the default pipe capacity on Linux.
fn new_buffered_writer<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(64 << 10, out)
}

#[derive(Debug)]
pub(crate) struct OutputWriter {
    name: String,
    sink: OutputSink,
}

#[derive(Debug)]
enum OutputSink {
    Stdout(BufWriter<io::Stdout>),
    /// Stdout or a device file that is a terminal.
    Terminal(BufWriter<TerminalSanitizer<File>>),
    Device(BufWriter<File>),
    File {
        path: PathBuf,
        temporary: BufWriter<NamedTempFile>,
    },
}

impl OutputWriter {
    /// Preserves color escape sequences in terminal output if `styled` is true.
    /// The caller must sanitize text from a database server with [`clew_diagnose::terminal::bytes_to_single_line`].
    pub(crate) fn open(file: Option<&Path>, styled: bool) -> Result<Self, CliError> {
        let styled = styled && stdout_supports_colors();
        Ok(match file.map_or(OutputTarget::Stdout, OutputTarget::from_path) {
            OutputTarget::Stdout if stdout_is_terminal() => {
                let terminal = io::stdout().as_fd().try_clone_to_owned();
                let terminal = terminal.map_err(|error| CliError::from_write_error(STDOUT_DISPLAY_NAME, &error))?;
                Self::new_terminal_writer(STDOUT_DISPLAY_NAME.to_owned(), terminal.into(), styled)
            }
            OutputTarget::Stdout => Self {
                name: STDOUT_DISPLAY_NAME.to_owned(),
                sink: OutputSink::Stdout(new_buffered_writer(io::stdout())),
            },
            OutputTarget::DeviceOrPipe(path) => Self::from_device_or_pipe(&path, open_device_or_pipe(&path)?, styled),
            OutputTarget::File(path) => {
                let temporary = new_buffered_writer(create_temporary_file(&path)?);
                Self { name: path.display().to_string(), sink: OutputSink::File { temporary, path } }
            }
        })
    }

    pub(crate) fn from_device_or_pipe(path: &Path, device: File, styled: bool) -> Self {
        let name = path.display().to_string();
        if device.is_terminal() {
            return Self::new_terminal_writer(name, device, styled);
        }
        Self { name, sink: OutputSink::Device(new_buffered_writer(device)) }
    }

    fn new_terminal_writer(name: String, terminal: File, styled: bool) -> Self {
        Self { name, sink: OutputSink::Terminal(new_buffered_writer(TerminalSanitizer::new(terminal, styled))) }
    }

    /// Only this call creates or replaces an output file.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        let failed = |error: &io::Error| CliError::from_write_error(&self.name, error);
        self.sink.as_writer().flush().map_err(|error| failed(&error))?;
        let OutputSink::File { path, temporary } = self.sink else { return Ok(()) };
        persist_temporary_file(temporary.into_inner().map_err(|error| failed(error.error()))?, &path)
    }

    pub(crate) fn display_name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.sink, OutputSink::Terminal(_))
    }
}

impl OutputSink {
    fn as_writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(stdout) => stdout,
            Self::Terminal(terminal) => terminal,
            Self::Device(device) => device,
            Self::File { temporary, .. } => temporary,
        }
    }
}

impl Write for OutputWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.as_writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.as_writer().flush()
    }
}

pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(crate) fn stdout_supports_colors() -> bool {
    stdout_is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

pub(crate) fn terminal_width() -> usize {
    let width = if stdout_is_terminal() { comfy_table::Table::new().width() } else { None };
    // A terminal without a configured size reports a width of 0.
    width.filter(|&width| width > 0).map_or(80, usize::from)
}

pub(crate) fn write_stdout(text: &str) -> Result<(), CliError> {
    write_stdout_unsanitized(&sanitize_multiline_text(text))
}

/// The caller must sanitize text from a database server with [`clew_diagnose::terminal::bytes_to_single_line`].
pub(crate) fn write_stdout_with_colors(text: &str) -> Result<(), CliError> {
    write_stdout_unsanitized(&if stdout_supports_colors() {
        sanitize_styled_text(text)
    } else {
        sanitize_multiline_text(text)
    })
}

fn write_stdout_unsanitized(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::from_write_error(STDOUT_DISPLAY_NAME, &error))
}

/// Ignores write errors, because there is no other stream for reporting them.
pub(crate) fn write_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(sanitize_multiline_text(text).as_bytes());
}

/// The spinner is hidden if stderr is not a terminal.
/// A timer updates the elapsed time, because progress messages can be far apart.
pub(crate) fn new_progress_spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, symlink};

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn write(path: &Path, text: &str) {
        let mut output = OutputWriter::open(Some(path), false).unwrap();
        output.write_all(text.as_bytes()).unwrap();
        output.finish().unwrap();
    }

    #[test]
    fn output_to_a_pipe_keeps_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        // Opening a pipe for both reading and writing does not block until the other end is opened.
        let mut reader = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        write(&pipe, "rows");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        let mut received = [0; 4];
        io::Read::read_exact(&mut reader, &mut received).unwrap();
        assert_eq!(&received, b"rows");
    }

    #[test]
    fn output_to_a_symbolic_link_replaces_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old and longer").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file remains");
    }
}
