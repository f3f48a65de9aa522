//! Runs external programs in the foreground or captures their output.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::error::DevtoolsError;
use crate::processes;
use crate::progress::Step;

/// External program with its arguments, environment variables and working directory.
#[derive(Debug, Clone)]
#[must_use]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
}

const MAX_ERROR_OUTPUT_LINES: usize = 40;
const RETRY_DELAY: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(3) };

impl Command {
    /// Creates a command that inherits the environment and the working directory of this process.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: Vec::new(), directory: None }
    }

    /// Appends arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), Some(value.into())));
        self
    }

    /// Sets environment variables.
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        variables.into_iter().fold(self, |command, (name, value)| command.env(name, value))
    }

    /// Wraps this command in `wrapper`, such as `setpriv`. Keeps the environment variables of this command.
    pub fn wrapped_in(self, wrapper: Self) -> Self {
        let wrapper = wrapper.args([self.program]).args(self.arguments);
        Self { program: wrapper.program, arguments: wrapper.arguments, ..self }
    }

    /// Prevents the program from inheriting an environment variable.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), None));
        self
    }

    /// Sets the working directory.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Returns the command line in shell syntax, without environment variables, which may contain secrets.
    #[must_use]
    pub fn command_line(&self) -> String {
        let mut words = vec![shell_quote(&self.program)];
        words.extend(self.arguments.iter().map(|argument| shell_quote(argument)));
        words.join(" ")
    }

    /// Runs the program in the foreground. Returns an error if the exit status is nonzero.
    pub async fn run(&self) -> Result<(), DevtoolsError> {
        let status = self.to_tokio_command().status().await.map_err(|cause| self.program_spawn_error(cause))?;
        self.ensure_success(status)
    }

    /// Runs the program for at most `limit`. Shows the latest output line in the progress display of `step`.
    /// If the program fails, the error contains the last output lines of the program.
    pub async fn run_with_progress(&self, step: &Step, limit: Duration) -> Result<(), DevtoolsError> {
        let spawned = self.to_tokio_command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|cause| self.program_spawn_error(cause))?;
        let mut tail = OutputTail::default();
        let result = tokio::time::timeout(limit, read_output_until_exit(&mut child, step, &mut tail)).await;
        step.set_spinner_text("");
        match result {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.error_with_output(&format!("failed ({status})"), &tail)),
            Ok(Err(cause)) => Err(self.program_spawn_error(cause)),
            Err(_) => {
                // The program may have exited already.
                let _ = child.kill().await;
                Err(self.error_with_output(&format!("timed out after {} s and was killed", limit.as_secs()), &tail))
            }
        }
    }

    /// Runs the program up to three times until it succeeds, because downloads can fail temporarily.
    pub async fn run_with_retries(&self, step: &Step, limit: Duration) -> Result<(), DevtoolsError> {
        const MAX_RUN_ATTEMPTS: u32 = 3;
        for attempt in 1..MAX_RUN_ATTEMPTS {
            match self.run_with_progress(step, limit).await {
                Ok(()) => return Ok(()),
                Err(error @ DevtoolsError::Start(..)) => return Err(error),
                Err(error) => step.print_note(&format!("attempt {attempt} of {MAX_RUN_ATTEMPTS} failed: {error}")),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        self.run_with_progress(step, limit).await
    }

    /// Runs the program and returns its stdout. The program inherits stderr.
    pub async fn output(&self) -> Result<String, DevtoolsError> {
        // tokio's `Command::output` captures stderr, even if stderr is inherited.
        let child =
            self.to_tokio_command().stdout(Stdio::piped()).spawn().map_err(|cause| self.program_spawn_error(cause))?;
        let output = child.wait_with_output().await.map_err(|cause| self.program_spawn_error(cause))?;
        self.ensure_success(output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the program with its stdout redirected to a file, and returns the run time.
    pub async fn measure_run_time(&self, output: &Path) -> Result<Duration, DevtoolsError> {
        let file = File::create(output).map_err(DevtoolsError::file_error("create", output))?;
        let mut command = self.to_tokio_command();
        command.stdout(file);
        let start = Instant::now();
        let status = command.status().await.map_err(|cause| self.program_spawn_error(cause))?;
        let duration = start.elapsed();
        self.ensure_success(status)?;
        Ok(duration)
    }

    /// Runs the program and returns its stdout and its peak memory use in KiB.
    /// The function reads the peak memory use after each output chunk and can miss later memory allocations.
    pub async fn capture_output_and_peak_memory(&self) -> Result<(Vec<u8>, u64), DevtoolsError> {
        let failed = |cause| self.program_spawn_error(cause);
        let mut child = self.to_tokio_command().stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (pid, stdout) = (child.id(), child.stdout.take());
        let (mut output, mut peak) = (Vec::new(), 0);
        if let Some(mut stdout) = stdout {
            while stdout.read_buf(&mut output).await.map_err(failed)? > 0 {
                peak = pid.and_then(processes::read_peak_memory_kib).unwrap_or(0).max(peak);
            }
        }
        let status = child.wait().await.map_err(failed)?;
        self.ensure_success(status)?;
        Ok((output, peak))
    }

    /// Parses the command output as JSON.
    pub fn parse_json_output<T: DeserializeOwned>(&self, output: &str) -> Result<T, DevtoolsError> {
        // The error does not contain the output, because the output may contain secrets.
        serde_json::from_str(output)
            .map_err(|cause| DevtoolsError::unexpected_output_error(self.command_line(), cause, ""))
    }

    /// Runs the program and returns its stdout, or `None` if the program fails. Discards stderr.
    pub async fn capture_stdout_if_successful(&self) -> Option<String> {
        let output = self.to_tokio_command().stderr(Stdio::null()).output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the program with its stdout piped to the caller and its stderr written to `log`.
    /// Dropping the returned `Child` kills the child process. If the parent process exits, the child process receives SIGTERM.
    /// The program runs in its own process group, so pressing Ctrl-C in the terminal does not interrupt the program.
    pub fn start(&self, log: File) -> Result<Child, DevtoolsError> {
        let wrapper = Self::new("setpriv").args(["--pdeathsig", "TERM", "--"]);
        let mut command = self.clone().wrapped_in(wrapper).to_tokio_command();
        command.process_group(0).stdout(Stdio::piped()).stderr(log);
        command.spawn().map_err(|cause| self.program_spawn_error(cause))
    }

    fn ensure_success(&self, status: ExitStatus) -> Result<(), DevtoolsError> {
        if status.success() {
            Ok(())
        } else {
            Err(DevtoolsError::Failed(format!("`{}` failed ({status})", self.command_line())))
        }
    }

    fn error_with_output(&self, failure: &str, tail: &OutputTail) -> DevtoolsError {
        let (command, output) = (self.command_line(), tail.to_indented_text());
        DevtoolsError::Failed(format!("`{command}` {failure}. Last lines of its output:\n{output}"))
    }

    fn to_tokio_command(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn program_spawn_error(&self, cause: std::io::Error) -> DevtoolsError {
        DevtoolsError::Start(self.command_line(), cause)
    }
}

fn shell_quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[derive(Debug, Default)]
struct OutputTail(VecDeque<String>);

impl OutputTail {
    fn push(&mut self, line: String) {
        if self.0.len() == MAX_ERROR_OUTPUT_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    fn to_indented_text(&self) -> String {
        self.0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

async fn read_output_until_exit(child: &mut Child, step: &Step, tail: &mut OutputTail) -> std::io::Result<ExitStatus> {
    let (lines, mut received) = mpsc::channel(64);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(forward_output_lines_to_channel(stdout, lines.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(forward_output_lines_to_channel(stderr, lines));
    }
    while let Some(line) = received.recv().await {
        step.set_spinner_text(&line);
        tail.push(line);
    }
    child.wait().await
}

async fn forward_output_lines_to_channel(output: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        // Progress displays redraw a line with CR, so only the text after the last CR is visible.
        let visible = text.trim_end().rsplit('\r').next().unwrap_or_default().to_owned();
        line.clear();
        if !visible.is_empty() && lines.send(visible).await.is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script])
    }

    #[test]
    fn command_line_is_shell_quoted_without_variables() {
        assert_eq!(shell("echo 'a b'; exit").command_line(), r"sh -c 'echo '\''a b'\''; exit'");
        assert_eq!(Command::new("cargo").args(["build", ""]).env("SECRET", "x").command_line(), "cargo build ''");
    }

    #[tokio::test]
    async fn error_contains_last_lines_of_both_outputs() {
        let step = Step::start("failing");
        let error =
            shell("echo to stdout; echo to stderr >&2; exit 3").run_with_progress(&step, Duration::from_mins(1)).await;
        let message = error.unwrap_err().to_string();
        assert!(
            message.contains("to stdout") && message.contains("to stderr") && message.contains("exit status: 3"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn error_contains_only_the_last_lines() {
        let step = Step::start("many lines");
        let error =
            shell("seq 1000; exit 1").run_with_progress(&step, Duration::from_mins(1)).await.unwrap_err().to_string();
        assert!(error.contains(" 1000") && error.contains(" 961") && !error.contains(" 960"), "{error}");
    }

    #[tokio::test]
    async fn program_is_killed_after_the_limit() {
        let step = Step::start("hanging");
        let error =
            shell("echo begun; exec sleep 600").run_with_progress(&step, Duration::from_secs(2)).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("timed out after 2 s") && message.contains("  begun"), "{message}");
    }

    #[tokio::test]
    async fn retry_stops_after_three_attempts() {
        let directory = tempfile::tempdir().unwrap();
        let step = Step::start("retrying");
        let third = shell("echo x >> tries; test $(wc -l < tries) -eq 3").current_dir(directory.path());
        third.run_with_retries(&step, Duration::from_mins(1)).await.unwrap();
        let never = shell("echo x >> never; false").current_dir(directory.path());
        never.run_with_retries(&step, Duration::from_mins(1)).await.unwrap_err();
        assert_eq!(std::fs::read_to_string(directory.path().join("never")).unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn error_names_a_missing_program() {
        let error = Command::new("no-such-program").run().await.unwrap_err().to_string();
        assert!(error.starts_with("cannot start `no-such-program`"), "{error}");
    }
}
