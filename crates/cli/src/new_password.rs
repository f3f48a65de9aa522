//! The password of a user: made, or told on stdin.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::Args;
use clew_iam::password;
use secrecy::{ExposeSecret, SecretString};

use crate::error::CliError;

/// Most bytes of a line that can be a password.
const LONGEST_LINE: u64 = 1024;

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct NewPassword {
    /// Read the password from stdin (a line; typed unseen on a terminal) instead of making one
    #[arg(long)]
    password_stdin: bool,
}

/// A password that may be used.
pub(crate) struct Password {
    /// Its hash, as a PHC string.
    pub(crate) hash: String,
    /// The password, if it was made: it has to be told.
    pub(crate) made: Option<SecretString>,
}

impl NewPassword {
    /// The password for a user of this name.
    pub(crate) async fn get(&self, user: &str) -> Result<Password, CliError> {
        let failed = |error: &dyn std::error::Error| CliError::failed(format!("could not make a password: {error}"));
        if !self.password_stdin {
            let made = password::generate().map_err(|error| failed(&error))?;
            let hash = password::hash(&made).map_err(|error| failed(&error))?;
            return Ok(Password { hash, made: Some(made) });
        }
        let prompt = format!("New password of {user}: ");
        let told = tokio::task::spawn_blocking(move || read(&prompt)).await.map_err(|error| failed(&error))?;
        let told = told.map_err(|error| CliError::failed(format!("could not read a password from stdin: {error}")))?;
        password::check(&told, user).map_err(|error| CliError::refused(error.to_string()))?;
        let hash = password::hash(&told).map_err(|error| failed(&error))?;
        Ok(Password { hash, made: None })
    }
}

/// A line without its end.
fn read(prompt: &str) -> io::Result<SecretString> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(SecretString::from);
    }
    let mut line = String::new();
    io::stdin().lock().take(LONGEST_LINE).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(SecretString::from(line))
}

impl Password {
    /// The made password for JSON, null if it was told.
    pub(crate) fn value(&self) -> serde_json::Value {
        self.made.as_ref().map(ExposeSecret::expose_secret).into()
    }

    /// What is to be said of it.
    pub(crate) fn said(&self) -> String {
        self.made.as_ref().map_or(String::new(), |made| {
            format!("The password is shown once; keep it:\n\n  password  {}\n\n", made.expose_secret())
        })
    }
}
