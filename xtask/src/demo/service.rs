//! The demo's own `clew serve`, step by step.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::stuck::READER_PASSWORD;
use crate::command::Command;
use crate::error::XtaskError;
use crate::service::{Credentials, Home, Serving};
use crate::steps::Step;

/// The service. Dropped, it ends at once and its folder goes.
#[derive(Debug)]
pub(super) struct Service {
    serving: Serving,
    home: Home,
}

impl Service {
    /// `clew init`, then `clew serve`.
    pub(super) async fn start(clew: &Path) -> Result<Self, XtaskError> {
        let step = Step::start("clew init");
        let home = Home::init(clew).await?;
        step.done_with("a first tenant and its access key");

        let step = Step::start("clew serve");
        let serving = home.serve("").await?;
        step.done_with(serving.endpoint());
        Ok(Self { serving, home })
    }

    /// Adds the server at `url`; the instance's id and its node's.
    pub(super) async fn add_instance(&self, url: &str) -> Result<(String, String), XtaskError> {
        let step = Step::start("clew instance add");
        let instance = self.home.add_instance("demo", &[url.to_owned()], READER_PASSWORD).await?;
        step.done_with(&format!("instance {}", instance.id));
        let node = instance.nodes.into_iter().next().map(|node| node.id).unwrap_or_default();
        Ok((instance.id, node))
    }

    /// A command line of the client of this service, with its settings.
    pub(super) fn client(&self, arguments: &[&str]) -> Command {
        self.home.client(&self.serving, arguments)
    }

    /// Writes what a shell needs to use this service as lines for it, for this user's eyes only.
    pub(super) fn write_settings(&self) -> Result<PathBuf, XtaskError> {
        let path = self.home.folder().join("env");
        let own = [
            ("CLEW_DATA_DIR", self.home.data_dir().display().to_string()),
            ("CLEW_DB_PASSWORD", READER_PASSWORD.to_owned()),
        ];
        let settings = self.home.settings(&self.serving).into_iter().chain(own);
        let lines: Vec<String> = settings.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let lines = lines.concat();
        let opened = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        opened.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|cause| XtaskError::File {
            doing: "write",
            path: path.clone(),
            cause,
        })?;
        Ok(path)
    }

    /// Its administrator, who is as private as the demo is short.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.home.credentials
    }

    pub(super) fn endpoint(&self) -> &str {
        self.serving.endpoint()
    }

    /// Asks it to stop in order, and waits for it.
    pub(super) async fn stop(self) -> Result<(), XtaskError> {
        self.serving.stop().await
    }
}
