//! Generates a new password for a user or reads one from stdin.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::Args;
use clew_iam::password;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{CliError, ResultExt, refused};

const MAX_PASSWORD_LINE_BYTES: u64 = 1024;

#[derive(Debug, Args)]
pub(crate) struct NewPasswordArgs {
    /// Read the password from stdin (one line) instead of generating one; input on a terminal is not echoed
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) struct NewPassword {
    pub(crate) hash: String,
    /// `None` if the password was read from stdin.
    pub(crate) generated: Option<SecretString>,
}

impl NewPasswordArgs {
    pub(crate) async fn read_or_generate_password(&self, user: &str) -> Result<NewPassword, CliError> {
        let operation = "could not process the password";
        if !self.password_stdin {
            let generated = password::generate_password().with_failure_context(operation)?;
            let hash = password::hash_password(&generated).with_failure_context(operation)?;
            return Ok(NewPassword { hash, generated: Some(generated) });
        }
        let prompt = format!("New password of {user}: ");
        let input =
            tokio::task::spawn_blocking(move || read_password_line(&prompt)).await.with_failure_context(operation)?;
        let input = input.with_failure_context("could not read a password from stdin")?;
        password::validate_new_password(&input, user).map_err(|error| refused!("{error}"))?;
        let hash = password::hash_password(&input).with_failure_context(operation)?;
        Ok(NewPassword { hash, generated: None })
    }
}

fn read_password_line(prompt: &str) -> io::Result<SecretString> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(SecretString::from);
    }
    let mut line = String::new();
    io::stdin().lock().take(MAX_PASSWORD_LINE_BYTES).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(SecretString::from(line))
}

impl NewPassword {
    pub(crate) fn to_json(&self) -> serde_json::Value {
        self.generated.as_ref().map(ExposeSecret::expose_secret).into()
    }

    pub(crate) fn format_generated_password_notice(&self) -> String {
        self.generated.as_ref().map_or(String::new(), |password| {
            format!("The password is shown only once; store it now:\n\n  password  {}\n\n", password.expose_secret())
        })
    }
}
