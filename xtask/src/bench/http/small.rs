//! Small answers: how many requests a second a client gets answered.

use super::super::served::SignedGet;
use crate::command::Command;
use crate::error::XtaskError;

/// Connections at once.
const CONNECTIONS: &str = "64";

/// Who asks, on the same two cores as the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    /// A client as programs have them, with a library of HTTP.
    Hey,
    /// As little of a client as there can be: whatever a server takes beyond it shows.
    Wrk,
}

impl Asker {
    /// Requests a second. All of them must be answered with 200.
    pub(super) async fn requests(self, base: &str, get: &SignedGet) -> Result<f64, XtaskError> {
        let url = format!("{base}{}", get.target);
        let command = match self {
            Self::Hey => Command::new("hey").args(["-c", CONNECTIONS, "-z", "2s"]).args(headers(get, "host")),
            // It adds a second `Host` unless it is given one that is written so.
            Self::Wrk => Command::new("wrk")
                .args(["--threads", "2", "--connections", CONNECTIONS, "--duration", "2s"])
                .args(headers(get, "").map(|text| text.replacen("host: ", "Host: ", 1))),
        };
        let shown = format!("{self:?} {url}");
        let answer = command.args([url]).answer().await?;
        let all_well = match self {
            Self::Hey => statuses_of_hey(&answer) == ["[200]"] && !answer.contains("Error distribution"),
            Self::Wrk => !answer.contains("Non-2xx") && !answer.contains("Socket errors"),
        };
        let rate = answer.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
        rate.filter(|_| all_well).ok_or_else(|| XtaskError::Answer {
            command: shown,
            cause: "not all requests were answered with 200".to_owned(),
            answer,
        })
    }
}

/// Options for all headers but one, which the client sends by itself.
fn headers(get: &SignedGet, but: &'static str) -> impl Iterator<Item = String> {
    let headers = get.headers.iter().filter(move |(header, _)| header != but);
    headers.flat_map(|(header, value)| ["-H".to_owned(), format!("{header}: {value}")])
}

/// What it lists as `  [200]  17 responses`, with a tab in between.
fn statuses_of_hey(answer: &str) -> Vec<&str> {
    let lines = answer.lines().filter(|line| line.trim_end().ends_with("responses"));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_seen() {
        let answer =
            "  Requests/sec:\t46978.9\n\nStatus code distribution:\n  [200]\t17 responses\n  [401]\t1 responses\n\n";
        assert_eq!(statuses_of_hey(answer), ["[200]", "[401]"]);
    }
}
