//! How a command ends when it does not end well.

use std::process::ExitCode;

use clew_model::{Failure, FailureKind};
use clew_store::StoreError;

/// Why a command failed, and the fix.
#[derive(Debug)]
pub(crate) enum CliError {
    /// It was tried and failed. Exit code 1.
    Failed { what: String, hint: Option<String> },
    /// It was not tried: wrong usage, or refused. Exit code 2.
    Refused { what: String, hint: Option<String> },
    /// The question that was asked was answered with no, on stdout. Exit code 1.
    AnsweredNo,
    /// Whoever reads the output has gone, which is no error.
    OutputClosed,
    /// Ctrl-C. Exit code 130.
    Interrupted,
}

impl CliError {
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), hint: None }
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: None }
    }

    /// The same error with advice.
    pub(crate) fn with_hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Failed { hint, .. } | Self::Refused { hint, .. } = &mut self {
            *hint = Some(advice.into());
        }
        self
    }

    /// An error of writing `target`; a closed pipe is success.
    pub(crate) fn writing(target: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::failed(format!("could not write {target}: {error}")),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::OutputClosed => 0,
            Self::Failed { .. } | Self::AnsweredNo => 1,
            Self::Refused { .. } => 2,
            Self::Interrupted => 130,
        })
    }

    /// The message for stderr, if there is one.
    pub(crate) fn to_say(&self) -> String {
        match self {
            Self::Failed { what, hint } | Self::Refused { what, hint } => {
                let advice = hint.as_ref().map_or(String::new(), |hint| format!("  fix: {hint}\n"));
                format!("error: {what}\n{advice}")
            }
            Self::Interrupted => "interrupted\n".to_owned(),
            Self::OutputClosed | Self::AnsweredNo => String::new(),
        }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        let error = Self::failed(failure.to_string());
        match advice(failure.kind) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let what = error.to_string();
        match error {
            StoreError::NotInitialised { .. } => {
                Self::refused(what).with_hint("make it with clew init, or name another one with --data-dir")
            }
            StoreError::AlreadyServing { .. } => {
                Self::refused(what).with_hint("stop the other clew serve, or use another folder with --data-dir")
            }
            StoreError::NotEmpty { .. } => Self::refused(what).with_hint("name an empty database with --to"),
            StoreError::OpenToOthers { .. }
            | StoreError::AlreadyExists { .. }
            | StoreError::Unknown { .. }
            | StoreError::LastAdministrator { .. }
            | StoreError::TooManyKeys { .. }
            | StoreError::InUse { .. }
            | StoreError::TooManyTags { .. }
            | StoreError::InvalidInstance { .. } => Self::refused(what),
            _ => Self::failed(what),
        }
    }
}

/// What usually helps against a kind of failure.
fn advice(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Unreachable => "check host and port, and that the server runs",
        FailureKind::TimedOut => "the server may be hung or overloaded; try again, or allow more with --timeout",
        FailureKind::AccessDenied => {
            "check user and password (CLEW_DB_PASSWORD, or the URL), and that the account may connect from here"
        }
        FailureKind::MissingPrivilege => "clew doctor URL prints the GRANTs that are missing",
        FailureKind::TooManyConnections => {
            "connect as an account with CONNECTION_ADMIN (MySQL) or CONNECTION ADMIN (MariaDB): one connection is kept free for it"
        }
        FailureKind::TlsFailed => "choose another protection with ?tls=… or name the authority with &ca=FILE",
        FailureKind::NotMysql => "check the port: something else answers there",
        FailureKind::StoreFailed => "make room, or set TMPDIR to a folder that has some",
        _ => return None,
    })
}
