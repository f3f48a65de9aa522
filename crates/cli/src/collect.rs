//! `clew collect`: collects a session snapshot through the API of a Clew server.

use std::io::{IsTerminal, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clew_client::{
    Client, ClientConfig, CollectionStatus, Credentials, DownloadSink, FileSink, ProjectRef, RequestId, StreamSink,
};
use clew_model::{AccessKeyId, InstanceId, Language, NodeId, ProjectId, to_single_line};
use indicatif::{HumanBytes, ProgressBar};
use secrecy::SecretString;

use crate::configuration::DEFAULT_LISTEN_ADDRESS;
use crate::error::{CliError, failed, refused};
use crate::limitations;
use crate::output::{self, OutputTarget, OutputWriter};
use crate::session_filters::SessionFilterArgs;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CollectArgs {
    /// Id of the instance
    #[arg(long, value_name = "ID")]
    instance: InstanceId,
    /// Id of the node
    #[arg(long, value_name = "ID")]
    node: NodeId,
    #[command(flatten)]
    filters: SessionFilterArgs,
    /// Output file, or - for stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Language of the CSV header row and of messages
    #[arg(long, value_name = "LANGUAGE", default_value = "en-us", value_parser = Language::ALL.map(Language::name))]
    language: String,
    /// Timeout for the collection, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    #[command(flatten)]
    server: ApiClientArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
struct ApiClientArgs {
    /// API endpoint
    #[arg(long, value_name = "URL", env = "CLEW_ENDPOINT", default_value_t = format!("http://{DEFAULT_LISTEN_ADDRESS}"))]
    endpoint: String,
    /// IAM endpoint [default: the API endpoint]
    #[arg(long, value_name = "URL", env = "CLEW_IAM_ENDPOINT")]
    iam_endpoint: Option<String>,
    /// Id of the project [default: the project named after the region]
    #[arg(long, value_name = "ID", env = "CLEW_PROJECT_ID")]
    project: Option<ProjectId>,
    /// Name of the region
    #[arg(long, value_name = "NAME", env = "CLEW_REGION")]
    region: Option<String>,
    /// Access key id
    #[arg(long, value_name = "KEY", env = "CLEW_ACCESS_KEY", hide_env_values = true)]
    access_key: Option<AccessKeyId>,
}

const AFTER_HELP: &str = "\
Examples:
  clew collect --instance ID --node ID -o sessions.csv
  clew collect --instance ID --node ID --filter slow --threshold 3 | head

Set the secret key in CLEW_SECRET_KEY. Without an access key, CLEW_DOMAIN_NAME, CLEW_USER and CLEW_PASSWORD are used to request a token.";

pub(crate) async fn run(arguments: CollectArgs) -> Result<(), CliError> {
    arguments.filters.clone().try_into_session_selection()?;
    let client = arguments.server.build_api_client(Language::from_tag(&arguments.language).unwrap_or_default())?;
    let (instance, node) = (&arguments.instance, &arguments.node);
    let progress = CollectionProgress(output::new_progress_spinner());
    progress.0.set_message("requesting a collection");
    let selection = arguments.filters.clone().into_unvalidated_session_selection();
    let request_id = client.start_collection(instance, node, &selection).await?;
    let limit = Duration::from_secs(arguments.timeout);
    progress.0.set_message("collecting");
    let status = client.wait_for_collection_task(instance, node, &request_id, limit, |_, _| {}).await?;
    match status {
        CollectionStatus::Finished => {}
        CollectionStatus::Error => {
            let reason = client.fetch_collection_failure_reason(instance, node, &request_id).await?;
            let reason = to_single_line(&reason.unwrap_or_default());
            return Err(failed!("the collection failed: {reason}"));
        }
        CollectionStatus::Running | CollectionStatus::Unrecognized => {
            return Err(failed!("the collection {request_id} no longer exists on the server"));
        }
    }
    // Fetched first, so that a collection that is deleted during the download is still reported as incomplete.
    let limitations = match client.fetch_result_limitations(instance, node, &request_id).await {
        Ok(limitations) => limitations::format_limitations(&limitations),
        Err(error) => {
            format!("note: cannot read the limitations of the result: {}\n", to_single_line(&error.to_string()))
        }
    };
    let download = ResultDownload { client: &client, instance, node, request_id: &request_id, progress };
    let written = download.save_result(&arguments.output).await;
    output::write_stderr(&limitations);
    written
}

struct CollectionProgress(ProgressBar);

impl CollectionProgress {
    fn show_download_progress(&self, bytes: u64, total: Option<u64>) {
        let total = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        self.0.set_message(format!("downloading, {}{total}", HumanBytes(bytes)));
    }
}

impl Drop for CollectionProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct ResultDownload<'a> {
    client: &'a Client,
    instance: &'a InstanceId,
    node: &'a NodeId,
    request_id: &'a RequestId,
    progress: CollectionProgress,
}

impl ResultDownload<'_> {
    async fn save_result(self, output: &Path) -> Result<(), CliError> {
        match OutputTarget::from_path(output) {
            OutputTarget::Stdout if output::stdout_is_terminal() => {
                self.write_to_terminal(OutputWriter::open(None, false)?).await
            }
            OutputTarget::Stdout => self.write_to_sink(&mut StreamSink::new(tokio::io::stdout())).await,
            OutputTarget::DeviceOrPipe(path) => {
                let device = output::open_device_or_pipe(&path)?;
                if device.is_terminal() {
                    let terminal = OutputWriter::from_device_or_pipe(&path, device, false);
                    return self.write_to_terminal(terminal).await;
                }
                self.write_to_sink(&mut StreamSink::new(tokio::fs::File::from_std(device))).await
            }
            OutputTarget::File(path) => {
                let temporary = output::create_temporary_file(&path)?;
                let file = temporary
                    .reopen()
                    .map_err(|error| CliError::from_write_error(&path.display().to_string(), &error))?;
                self.write_to_sink(&mut FileSink::from(tokio::fs::File::from_std(file))).await?;
                output::persist_temporary_file(temporary, &path)
            }
        }
    }

    /// Downloads to a temporary file first, because the progress line would mix with rows on the terminal.
    async fn write_to_terminal(self, mut terminal: OutputWriter) -> Result<(), CliError> {
        let failed = |error| CliError::from_write_error("a temporary file", &error);
        let file = tempfile::tempfile().map_err(failed)?;
        let mut rows = file.try_clone().map_err(failed)?;
        self.write_to_sink(&mut FileSink::from(tokio::fs::File::from_std(file))).await?;
        drop(self);
        rows.rewind()
            .and_then(|()| std::io::copy(&mut rows, &mut terminal))
            .map_err(|error| CliError::from_write_error(terminal.display_name(), &error))?;
        terminal.finish()
    }

    async fn write_to_sink(&self, sink: &mut impl DownloadSink) -> Result<(), CliError> {
        let on_progress = |bytes, total| self.progress.show_download_progress(bytes, total);
        self.client.download(self.instance, self.node, self.request_id, sink, on_progress).await?;
        Ok(())
    }
}

impl ApiClientArgs {
    fn build_api_client(&self, language: Language) -> Result<Client, CliError> {
        let credentials = self.read_api_credentials()?;
        let project_ref = match (&self.project, &self.region) {
            (Some(project), _) => ProjectRef::Project(project.clone()),
            (None, Some(region)) => ProjectRef::Region(region.clone()),
            (None, None) => {
                return Err(refused!("neither a project nor a region is set")
                    .with_suggested_fix("set CLEW_PROJECT_ID or CLEW_REGION; clew init --format env prints them"));
            }
        };
        let config = ClientConfig::new(&self.endpoint, credentials, project_ref);
        let iam_endpoint = self.iam_endpoint.clone();
        Ok(Client::new(ClientConfig { iam_endpoint, language: Some(language), ..config })?)
    }

    fn read_api_credentials(&self) -> Result<Credentials, CliError> {
        if let Some(id) = &self.access_key {
            let secret = require_env_var("CLEW_SECRET_KEY")?;
            return Ok(Credentials::access_key(id.clone(), SecretString::from(secret)));
        }
        let hint = "set CLEW_ACCESS_KEY and CLEW_SECRET_KEY, or CLEW_DOMAIN_NAME, CLEW_USER and CLEW_PASSWORD";
        let user = require_env_var("CLEW_USER").map_err(|error| error.with_suggested_fix(hint))?;
        let password = SecretString::from(require_env_var("CLEW_PASSWORD")?);
        Ok(Credentials::password(require_env_var("CLEW_DOMAIN_NAME")?, user, password))
    }
}

fn require_env_var(name: &str) -> Result<String, CliError> {
    std::env::var(name).map_err(|_| refused!("{name} is not set"))
}
