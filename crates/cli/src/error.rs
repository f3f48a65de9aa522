//! Command errors and exit codes.

use std::fmt::Display;
use std::process::ExitCode;

use clew_client::ClientError;
use clew_model::{Failure, FailureKind, to_single_line};
use clew_store::StoreError;

#[derive(Debug)]
pub(crate) enum CliError {
    Failed {
        message: String,
        fix: Option<String>,
    },
    /// Clew refused to run the command, or the arguments are invalid.
    Refused {
        message: String,
        fix: Option<String>,
    },
    /// A check failed and its result was printed to stdout, for example for an invalid policy.
    NegativeResult,
    /// A check found that data is missing or inaccurate, for example because of missing privileges.
    LimitationsFound,
    /// The process that reads the output, such as `head`, closed the pipe.
    OutputClosed,
    Interrupted,
}

macro_rules! failed {
    ($($argument:tt)+) => { $crate::error::CliError::Failed { message: format!($($argument)+), fix: None } };
}

macro_rules! refused {
    ($($argument:tt)+) => { $crate::error::CliError::Refused { message: format!($($argument)+), fix: None } };
}

pub(crate) use {failed, refused};

impl CliError {
    pub(crate) fn with_suggested_fix(mut self, text: impl Into<String>) -> Self {
        if let Self::Failed { fix, .. } | Self::Refused { fix, .. } = &mut self {
            *fix = Some(text.into());
        }
        self
    }

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

pub(crate) trait ResultExt<T> {
    fn with_failure_context(self, operation: impl Display) -> Result<T, CliError>;
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
        let (detail, fix) = failure.split_fix();
        let fix = fix.or_else(|| suggest_fix_for_failure(failure.kind)).map(str::to_owned);
        Self::Failed { message: format!("{}: {detail}", failure.kind.title()), fix }
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
