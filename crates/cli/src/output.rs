//! Where output goes: a terminal, a pipe, or a file that is there whole or not at all. Text for people and everything that goes to a
//! terminal passes the sanitiser here (`clew_diagnose::terminal`); JSON is escaped.

mod terminal;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clew_diagnose::terminal::{sanitize, sanitize_styled};
use serde::Serialize;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::error::CliError;
pub(crate) use terminal::Sanitizer;

/// Name of stdout in messages.
const STDOUT: &str = "the output";

/// Form of what a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For eyes
    Table,
    /// For scripts
    Json,
}

impl Format {
    /// Says it on stdout.
    pub(crate) fn say(self, table: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), CliError> {
        match self {
            Self::Table => to_stdout(&table()),
            Self::Json => to_stdout(&json_text(&json())?),
        }
    }

    /// The same with a table in the colours of this program ([`to_stdout_styled`]).
    pub(crate) fn say_styled(
        self,
        table: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), CliError> {
        match self {
            Self::Table => to_stdout_styled(&table()),
            Self::Json => to_stdout(&json_text(&json())?),
        }
    }
}

/// A value as indented JSON with a line end.
pub(crate) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, CliError> {
    let json = clew_diagnose::json::to_string_pretty(value);
    json.map(|json| json + "\n").map_err(|error| CliError::failed(format!("could not write JSON: {error}")))
}

/// An object with the fields of another one added.
pub(crate) fn joined(value: Value, more: Value) -> Value {
    match (value, more) {
        (Value::Object(mut fields), Value::Object(more)) => {
            fields.extend(more);
            Value::Object(fields)
        }
        (value, _) => value,
    }
}

/// What a name for an output stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-`
    Stdout,
    /// A device or a pipe: it is written to, and stays what it is.
    Device(PathBuf),
    /// A file, there or not. Of a link it is the file that it leads to.
    File(PathBuf),
}

impl Place {
    pub(crate) fn of(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Stdout;
        }
        match fs::metadata(path) {
            Ok(there) if there.is_file() => Self::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())),
            Ok(there) if !there.is_dir() => Self::Device(path.to_owned()),
            _ => Self::File(path.to_owned()),
        }
    }
}

/// A device or a pipe, to be written to.
pub(crate) fn open_device(path: &Path) -> Result<File, CliError> {
    OpenOptions::new().write(true).open(path).map_err(|error| CliError::writing(&path.display().to_string(), &error))
}

/// A file without a name beside the place where it will stand once it is whole.
pub(crate) fn new_file(path: &Path) -> Result<NamedTempFile, CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder)
        .map_err(|error| CliError::failed(format!("could not write in {}: {error}", folder.display())))
}

/// Puts a whole file in its place.
pub(crate) fn put(file: NamedTempFile, path: &Path) -> Result<(), CliError> {
    let placed = file.persist(path).map(|_| ());
    placed.map_err(|error| CliError::writing(&path.display().to_string(), &error.error))
}

/// Writes so many bytes at a time: what a pipe takes at once.
fn together<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(64 << 10, out)
}

/// Where a command writes its result.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout(BufWriter<io::Stdout>),
    /// stdout or a device that is a terminal.
    Terminal {
        name: String,
        terminal: BufWriter<Sanitizer<File>>,
    },
    Device {
        path: PathBuf,
        device: BufWriter<File>,
    },
    File {
        path: PathBuf,
        temporary: BufWriter<NamedTempFile>,
    },
}

impl Output {
    /// stdout, or a file; `-` means stdout too. On a terminal, whatever its name, no sequence of the text stays.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, CliError> {
        Self::open_for(file, false)
    }

    /// The same for a table: the colours of this program stay. Text of a server must pass `one_line` before it is written.
    pub(crate) fn open_for_table(file: Option<&Path>) -> Result<Self, CliError> {
        Self::open_for(file, stdout_has_colours())
    }

    fn open_for(file: Option<&Path>, styled: bool) -> Result<Self, CliError> {
        Ok(match file.map_or(Place::Stdout, Place::of) {
            Place::Stdout if stdout_is_terminal() => {
                let terminal = io::stdout().as_fd().try_clone_to_owned();
                let terminal = terminal.map_err(|error| CliError::writing(STDOUT, &error))?;
                Self::terminal(STDOUT.to_owned(), terminal.into(), styled)
            }
            Place::Stdout => Self::Stdout(together(io::stdout())),
            Place::Device(path) => {
                let device = open_device(&path)?;
                Self::of_device(path, device, styled)
            }
            Place::File(path) => Self::File { temporary: together(new_file(&path)?), path },
        })
    }

    /// A device that is open. `/dev/stdout` and `/dev/tty` are terminals as stdout is one.
    pub(crate) fn of_device(path: PathBuf, device: File, styled: bool) -> Self {
        if device.is_terminal() {
            return Self::terminal(path.display().to_string(), device, styled);
        }
        Self::Device { device: together(device), path }
    }

    fn terminal(name: String, terminal: File, styled: bool) -> Self {
        Self::Terminal { name, terminal: together(Sanitizer::new(terminal, styled)) }
    }

    /// Everything was written: puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        let shown = self.name();
        self.flush().map_err(|error| CliError::writing(&shown, &error))?;
        let Self::File { path, temporary } = self else { return Ok(()) };
        put(temporary.into_inner().map_err(|error| CliError::writing(&shown, error.error()))?, &path)
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdout(_) => STDOUT.to_owned(),
            Self::Terminal { name, .. } => name.clone(),
            Self::Device { path, .. } | Self::File { path, .. } => path.display().to_string(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Terminal { terminal, .. } => terminal.write(bytes),
            Self::Device { device, .. } => device.write(bytes),
            Self::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Terminal { terminal, .. } => terminal.flush(),
            Self::Device { device, .. } => device.flush(),
            Self::File { temporary, .. } => temporary.flush(),
        }
    }
}

/// Whether stdout is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours may be used on stdout.
pub(crate) fn stdout_has_colours() -> bool {
    stdout_is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Columns of the terminal; 80 where stdout is none.
pub(crate) fn terminal_width() -> usize {
    let width = if stdout_is_terminal() { comfy_table::Table::new().width() } else { None };
    // A terminal whose size was never set reports 0.
    width.filter(|&width| width > 0).map_or(80, usize::from)
}

/// Writes sanitised text to stdout.
pub(crate) fn to_stdout(text: &str) -> Result<(), CliError> {
    write_to_stdout(&sanitize(text))
}

/// Writes text with the colours of this program to stdout. Text of a server in it must have passed `one_line`.
pub(crate) fn to_stdout_styled(text: &str) -> Result<(), CliError> {
    write_to_stdout(&if stdout_has_colours() { sanitize_styled(text) } else { sanitize(text) })
}

fn write_to_stdout(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| CliError::writing(STDOUT, &error))
}

/// Writes sanitised text to stderr. An error of stderr itself cannot be reported.
pub(crate) fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(sanitize(text).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, symlink};

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn write(path: &Path, text: &str) {
        let mut output = Output::open(Some(path)).unwrap();
        output.write_all(text.as_bytes()).unwrap();
        output.finish().unwrap();
    }

    #[test]
    fn a_pipe_stays_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        // Open for both, nobody waits for the other side, whatever becomes of it.
        let mut both = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        write(&pipe, "rows");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        let mut came = [0; 4];
        io::Read::read_exact(&mut both, &mut came).unwrap();
        assert_eq!(&came, b"rows");
    }

    #[test]
    fn a_link_stays_a_link_to_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old and longer").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }
}
