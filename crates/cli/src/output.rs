//! Where output goes: a terminal, a pipe, or a file that is there whole or not at all.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::error::CliError;

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
        to_stdout(&match self {
            Self::Table => table(),
            Self::Json => format!("{:#}\n", json()),
        })
    }
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

/// Where a command writes its result.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout(BufWriter<io::Stdout>),
    File { path: PathBuf, temporary: BufWriter<NamedTempFile> },
}

impl Output {
    /// stdout, or a file; `-` means stdout too.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = file.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = NamedTempFile::new_in(folder)
            .map_err(|error| CliError::failed(format!("could not write in {}: {error}", folder.display())))?;
        Ok(Self::File { path: path.to_owned(), temporary: BufWriter::new(temporary) })
    }

    /// Everything was written: puts the file in its place.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush().map_err(|error| CliError::writing("the output", &error)),
            Self::File { path, temporary } => {
                let shown = path.display().to_string();
                let file = temporary.into_inner().map_err(|error| CliError::writing(&shown, error.error()))?;
                file.persist(&path).map_err(|error| CliError::writing(&shown, &error.error))?;
                Ok(())
            }
        }
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "the output".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
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
    width.map_or(80, usize::from)
}

/// Writes text to stdout.
pub(crate) fn to_stdout(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::writing("the output", &error))
}

/// Writes text to stderr. Where even that fails there is nobody left to tell.
pub(crate) fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
