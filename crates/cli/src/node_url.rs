//! Reads a node's URL and password from the command line, the environment or a prompt.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use clew_model::NodeUrl;
use clew_mysql::{ConnectionRegistry, NodeConnector, ReadLimits};
use secrecy::SecretString;

use crate::error::{CliError, ResultExt, refused};

pub(crate) const NODE_PASSWORD_ENV_VAR: &str = "CLEW_DB_PASSWORD";

#[derive(Debug, Args)]
pub(crate) struct NodeConnectionArgs {
    /// mysql://user@host:port/?tls=off|preferred|required|verify-ca|verify-identity&ca=FILE
    ///
    /// Set the password in CLEW_DB_PASSWORD or enter it at the prompt.
    /// Do not include the password in the URL: other users of the machine can see the arguments of commands.
    #[arg(value_name = "URL")]
    url: String,
    /// Timeout for each read from the database server, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl NodeConnectionArgs {
    pub(crate) fn parse_node_url_and_timeouts(
        &self,
        registry: ConnectionRegistry,
    ) -> Result<(NodeUrl, NodeConnector), CliError> {
        let node = fill_in_missing_password(parse_node_url(&self.url)?)?;
        let timeout = Duration::from_secs(self.timeout);
        let limits = ReadLimits { read_timeout: timeout, connect_timeout: timeout / 2, ..ReadLimits::default() };
        Ok((node, NodeConnector { limits, registry }))
    }
}

/// Error messages never contain the password from the URL.
pub(crate) fn parse_node_url(url: &str) -> Result<NodeUrl, CliError> {
    url.parse().map_err(|error: clew_model::NodeUrlError| refused!("{}: {error}", redact_url_credentials(url)))
}

/// Omits the query string if all parameters have default values.
pub(crate) fn format_url_for_shell(node: &NodeUrl) -> String {
    let url = node.to_string();
    // The default parameters depend on the host.
    let plain = url.split_once('?').map_or(url.as_str(), |(plain, _)| plain);
    match plain.parse::<NodeUrl>() {
        Ok(parsed) if parsed.to_string() == url => plain.to_owned(),
        _ => format!("'{url}'"),
    }
}

/// The node URL is invalid, so the credentials are located without a URL parser.
fn redact_url_credentials(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (head, tail) = (url.get(..scheme + 3).unwrap_or_default(), url.get(at..).unwrap_or_default());
            format!("{head}…{tail}")
        }
        _ => url.to_owned(),
    }
}

pub(crate) fn fill_in_missing_password(node: NodeUrl) -> Result<NodeUrl, CliError> {
    if node.password.is_some() {
        return Ok(node);
    }
    if let Ok(password) = std::env::var(NODE_PASSWORD_ENV_VAR) {
        return Ok(node.with_password(Some(SecretString::from(password))));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(node);
    }
    let prompt = format!("Password of {} at {} (empty for none): ", node.user, node.address());
    let input =
        rpassword::prompt_password(prompt).with_failure_context("could not read a password from the terminal")?;
    let password = (!input.is_empty()).then(|| SecretString::from(input));
    Ok(node.with_password(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_url_omits_the_password() {
        for (url, expected) in [
            ("mysql://root:hunter2@h/", "mysql://root@h:3306/"),
            ("mysql://root:hunter2@h:7/?tls=off", "'mysql://root@h:7/?tls=off'"),
        ] {
            assert_eq!(format_url_for_shell(&parse_node_url(url).unwrap()), expected);
        }
    }

    #[test]
    fn error_of_an_invalid_url_omits_the_password() {
        let error = parse_node_url("mysql://root:hunter2@h/shop").unwrap_err();
        let shown = format!("{error:?}");
        assert!(!shown.contains("hunter2") && shown.contains("mysql://…@h/shop"), "{shown}");
    }
}
