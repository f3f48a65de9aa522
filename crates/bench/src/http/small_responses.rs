//! Measures the number of small HTTP responses per second.

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;

use crate::error::BenchError;
use crate::server_harness::HttpGetRequest;

const CONNECTION_COUNT: &str = "64";

/// The load generator and the measured server run on the same two CPU cores.
#[derive(Debug, Clone, Copy)]
pub(super) enum LoadGenerator {
    /// `hey` uses about as much CPU time as the server.
    Hey,
    /// `wrk` uses little CPU time, so that the server mainly determines the request rate.
    Wrk,
}

impl LoadGenerator {
    /// Returns an error if any response has a status other than 200.
    pub(super) async fn measure_request_rate(self, base: &str, get: &HttpGetRequest) -> Result<f64, BenchError> {
        let url = format!("{base}{}", get.target);
        let command = match self {
            Self::Hey => Command::new("hey")
                .args(["-c", CONNECTION_COUNT, "-z", "2s"])
                .args(format_headers_as_cli_options(get, "host")),
            // wrk adds a second host header unless the header name is spelled `Host`.
            Self::Wrk => Command::new("wrk")
                .args(["--threads", "2", "--connections", CONNECTION_COUNT, "--duration", "2s"])
                .args(format_headers_as_cli_options(get, "").map(|text| text.replacen("host: ", "Host: ", 1))),
        };
        let description = format!("{self:?} {url}");
        let output = command.args([url]).output().await?;
        let is_success = match self {
            Self::Hey => {
                parse_status_codes_from_hey_output(&output) == ["[200]"] && !output.contains("Error distribution")
            }
            Self::Wrk => !output.contains("Non-2xx") && !output.contains("Socket errors"),
        };
        let rate = output.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
        rate.filter(|_| is_success).ok_or_else(|| {
            DevtoolsError::unexpected_output_error(description, "not all responses have status 200", output).into()
        })
    }
}

fn format_headers_as_cli_options(get: &HttpGetRequest, omitted: &'static str) -> impl Iterator<Item = String> {
    let headers = get.headers.iter().filter(move |(header, _)| header != omitted);
    headers.flat_map(|(header, value)| ["-H".to_owned(), format!("{header}: {value}")])
}

/// Parses the status codes in hey's output, such as `  [200]  17 responses`.
fn parse_status_codes_from_hey_output(output: &str) -> Vec<&str> {
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
        assert_eq!(parse_status_codes_from_hey_output(output), ["[200]", "[401]"]);
    }
}
