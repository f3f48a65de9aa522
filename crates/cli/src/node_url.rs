//! The URL of a node as it is typed, and its password from wherever it is.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use clew_model::NodeUrl;
use clew_mysql::Limits;
use secrecy::SecretString;

use crate::error::CliError;

/// Environment variable with the password of a node.
pub(crate) const PASSWORD_VARIABLE: &str = "CLEW_DB_PASSWORD";

/// Which server to read, and how long to wait for it.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// mysql://user@host:port/?tls=off|preferred|required|verify-ca|verify-identity&ca=FILE
    ///
    /// The password is better given in CLEW_DB_PASSWORD or typed when asked: what stands in a URL can be seen by others.
    #[arg(value_name = "URL")]
    url: String,
    /// Seconds that the server may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl Target {
    /// The node with its password, and the limits of a read.
    pub(crate) fn resolve(&self) -> Result<(NodeUrl, Limits), CliError> {
        let node = with_password(parse(&self.url)?)?;
        let whole = Duration::from_secs(self.timeout);
        Ok((node, Limits { node: whole, connect: whole / 2, ..Limits::default() }))
    }
}

/// The URL, checked.
pub(crate) fn parse(url: &str) -> Result<NodeUrl, CliError> {
    url.parse()
        .map_err(|error: clew_model::NodeUrlError| CliError::refused(format!("{}: {error}", without_password(url))))
}

/// The URL as it may be typed into a shell again: without the password, and without what is so anyway.
pub(crate) fn typed(node: &NodeUrl) -> String {
    let url = node.to_string();
    // The default depends on the host.
    let plain = url.split_once('?').map_or(url.as_str(), |(plain, _)| plain);
    match plain.parse::<NodeUrl>() {
        Ok(parsed) if parsed.to_string() == url => plain.to_owned(),
        _ => format!("'{url}'"),
    }
}

/// What may be shown of a URL that could not be read.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (head, tail) = (url.get(..scheme + 3).unwrap_or_default(), url.get(at..).unwrap_or_default());
            format!("{head}…{tail}")
        }
        _ => url.to_owned(),
    }
}

/// The node with the password of the URL, else of the environment, else typed on the terminal. Without a terminal: none.
pub(crate) fn with_password(node: NodeUrl) -> Result<NodeUrl, CliError> {
    if node.password.is_some() {
        return Ok(node);
    }
    if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
        return Ok(node.with_password(Some(SecretString::from(password))));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(node);
    }
    let prompt = format!("Password of {} at {} (empty for none): ", node.user, node.address());
    let typed = rpassword::prompt_password(prompt)
        .map_err(|error| CliError::failed(format!("could not read a password from the terminal: {error}")))?;
    let password = (!typed.is_empty()).then(|| SecretString::from(typed));
    Ok(node.with_password(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_typed_again_without_its_password() {
        for (url, again) in [
            ("mysql://root:hunter2@h/", "mysql://root@h:3306/"),
            ("mysql://root:hunter2@h:7/?tls=off", "'mysql://root@h:7/?tls=off'"),
        ] {
            assert_eq!(typed(&parse(url).unwrap()), again);
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_shown_without_its_password() {
        let error = parse("mysql://root:hunter2@h/shop").unwrap_err();
        let shown = format!("{error:?}");
        assert!(!shown.contains("hunter2") && shown.contains("mysql://…@h/shop"), "{shown}");
    }
}
