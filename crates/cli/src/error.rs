//! Command errors and exit codes.

use std::fmt::Display;
use std::process::ExitCode;

use clew_client::ClientError;
use clew_model::{Failure, FailureKind, to_single_line};
use clew_store::StoreError;

#[derive(Debug)]
pub(crate) enum CliError {
    /// The operation failed. Exit code 1.
    Failed { message: String, fix: Option<String> },
    /// Clew refused to run the command, or the arguments are invalid. The exit code is 2.
    Refused { message: String, fix: Option<String> },
    /// A check failed, for example because a policy is invalid. The result was printed to stdout. Exit code 1.
    NegativeResult,
    /// A check found that data is missing or inaccurate, for example because of missing privileges. Exit code 3.
    LimitationsFound,
    /// The process that reads the output, such as `head`, closed the pipe. Exit code 0.
    OutputClosed,
    /// Interrupted by Ctrl-C. Exit code 130.
    Interrupted,
}

/// Creates the error [`CliError::Failed`] with a formatted message.
macro_rules! failed {
    ($($argument:tt)+) => { $crate::error::CliError::Failed { message: format!($($argument)+), fix: None } };
}

/// Creates the error [`CliError::Refused`] with a formatted message.
macro_rules! refused {
    ($($argument:tt)+) => { $crate::error::CliError::Refused { message: format!($($argument)+), fix: None } };
}

pub(crate) use {failed, refused};

impl CliError {
    /// The suggested fix is printed as `fix: …` below the error message.
    pub(crate) fn with_suggested_fix(mut self, text: impl Into<String>) -> Self {
        if let Self::Failed { fix, .. } | Self::Refused { fix, .. } = &mut self {
            *fix = Some(text.into());
        }
        self
    }

    /// Maps a broken pipe error to `OutputClosed` and every other write error to `Failed`.
    pub(crate) fn from_write_error(target: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => failed!("could not write {target}: {error}"),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::OutputClosed => 0,
            Self::Failed { .. } | Self::NegativeResult => 1,
            Self::Refused { .. } => 2,
            Self::LimitationsFound => 3,
            Self::Interrupted => 130,
        })
    }

    /// Returns the error message for stderr, or an empty string if the error has no message.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Failed { message, fix } | Self::Refused { message, fix } => {
                let fix = fix.as_ref().map_or(String::new(), |fix| format!("  fix: {fix}\n"));
                format!("error: {message}\n{fix}")
            }
            Self::Interrupted => "interrupted\n".to_owned(),
            Self::OutputClosed | Self::NegativeResult | Self::LimitationsFound => String::new(),
        }
    }
}

/// Converts the error of a failed operation to a [`CliError`].
pub(crate) trait ResultExt<T> {
    /// Maps an error to [`CliError::Failed`] with a message that contains the failed operation and the cause.
    fn with_failure_context(self, operation: impl Display) -> Result<T, CliError>;
    /// Maps an error to [`CliError::Refused`] with a message that contains the failed operation and the cause.
    fn with_refusal_context(self, operation: impl Display) -> Result<T, CliError>;
}

impl<T, E: Display> ResultExt<T> for Result<T, E> {
    fn with_failure_context(self, operation: impl Display) -> Result<T, CliError> {
        self.map_err(|error| failed!("{operation}: {error}"))
    }

    fn with_refusal_context(self, operation: impl Display) -> Result<T, CliError> {
        self.map_err(|error| refused!("{operation}: {error}"))
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self::Failed { message: failure.to_string(), fix: suggest_fix_for_failure(failure.kind).map(str::to_owned) }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let fix = match error {
            StoreError::NotInitialized { .. } => {
                Some("create it with clew init, or select another data directory with --data-dir")
            }
            StoreError::AlreadyServing { .. } => {
                Some("stop the other clew serve, or select another data directory with --data-dir")
            }
            StoreError::NotEmpty { .. } => Some("pass an empty database with --to"),
            StoreError::OpenToOthers { .. }
            | StoreError::AlreadyExists { .. }
            | StoreError::Unknown { .. }
            | StoreError::LastAdministrator { .. }
            | StoreError::TooManyKeys { .. }
            | StoreError::InUse { .. }
            | StoreError::TooManyTags { .. }
            | StoreError::InvalidInstance { .. } => None,
            _ => return failed!("{error}"),
        };
        Self::Refused { message: error.to_string(), fix: fix.map(str::to_owned) }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Write(error) => Self::from_write_error("the output", &error),
            ClientError::Setup(_) => refused!("{error}"),
            error => failed!("{}", to_single_line(&error.to_string())),
        }
    }
}

fn suggest_fix_for_failure(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Unreachable => "check host and port, and that the server runs",
        FailureKind::TimedOut => "the server may be hung or overloaded; try again, or increase --timeout",
        FailureKind::AccessDenied => {
            "check user and password (CLEW_DB_PASSWORD, or the URL), and that the account may connect from here"
        }
        FailureKind::MissingPrivilege => "clew doctor URL prints the GRANTs that are missing",
        FailureKind::TooManyConnections => {
            "connect as an account with CONNECTION_ADMIN (MySQL) or CONNECTION ADMIN (MariaDB): the server reserves one connection for it"
        }
        FailureKind::TlsFailed => "select another TLS mode with ?tls=…, or set the certificate authority with &ca=FILE",
        FailureKind::NotMysql => "check the port: another service responds there",
        FailureKind::StoreFailed => "free disk space, or set TMPDIR to a directory with free space",
        _ => return None,
    })
}
