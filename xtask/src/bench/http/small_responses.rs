//! Request rate of small responses.

use super::super::server_harness::SignedGet;
use crate::command::Command;
use crate::error::XtaskError;

/// Number of concurrent connections.
const CONNECTION_COUNT: &str = "64";

/// HTTP load generator. It runs on the same two cores as the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum LoadGenerator {
    /// Uses an HTTP library, like a typical client.
    Hey,
    /// Uses minimal CPU time, so the rate shows the cost of the server.
    Wrk,
}

impl LoadGenerator {
    /// Runs the load generator and returns the requests per second. Fails if a response has a status other than 200.
    pub(super) async fn request_rate(self, base: &str, get: &SignedGet) -> Result<f64, XtaskError> {
        let url = format!("{base}{}", get.target);
        let command = match self {
            Self::Hey => {
                Command::new("hey").args(["-c", CONNECTION_COUNT, "-z", "2s"]).args(header_options(get, "host"))
            }
            // wrk adds a second host header unless the given name is spelled `Host`.
            Self::Wrk => Command::new("wrk")
                .args(["--threads", "2", "--connections", CONNECTION_COUNT, "--duration", "2s"])
                .args(header_options(get, "").map(|text| text.replacen("host: ", "Host: ", 1))),
        };
        let description = format!("{self:?} {url}");
        let output = command.args([url]).output().await?;
        let is_success = match self {
            Self::Hey => hey_statuses(&output) == ["[200]"] && !output.contains("Error distribution"),
            Self::Wrk => !output.contains("Non-2xx") && !output.contains("Socket errors"),
        };
        let rate = output.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
        rate.filter(|_| is_success).ok_or_else(|| XtaskError::UnexpectedOutput {
            command: description,
            cause: "not all responses have status 200".to_owned(),
            output,
        })
    }
}

/// Returns options for all headers except one, which the load generator sends itself.
fn header_options(get: &SignedGet, omitted: &'static str) -> impl Iterator<Item = String> {
    let headers = get.headers.iter().filter(move |(header, _)| header != omitted);
    headers.flat_map(|(header, value)| ["-H".to_owned(), format!("{header}: {value}")])
}

/// Returns the status codes in hey's output, from lines such as `  [200]  17 responses`, separated by a tab.
fn hey_statuses(output: &str) -> Vec<&str> {
    let lines = output.lines().filter(|line| line.trim_end().ends_with("responses"));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_status_codes_of_hey_are_parsed() {
        let output =
            "  Requests/sec:\t46978.9\n\nStatus code distribution:\n  [200]\t17 responses\n  [401]\t1 responses\n\n";
        assert_eq!(hey_statuses(output), ["[200]", "[401]"]);
    }
}
