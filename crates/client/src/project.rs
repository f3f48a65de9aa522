//! Looks up a region's project with `GET {iam}/v3/projects?name=<region>` (TaurusDB API spec, section 8.3).

use clew_model::ProjectId;
use reqwest::Method;
use serde::Deserialize;

use crate::Client;
use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::response::sanitize_server_text;

/// Project of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectRef {
    /// Id of the project.
    Project(ProjectId),
    /// Name of the region, which is also the name of the region's project.
    /// Before the first request, the client looks up the id of the project.
    Region(String),
}

#[derive(Deserialize)]
struct ProjectsResponse {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    #[serde(default)]
    name: String,
}

impl Client {
    /// Returns the client's project id. If the configuration contains only a region, the client looks up the id once.
    pub async fn project_id(&self) -> Result<&ProjectId, ClientError> {
        self.inner
            .project
            .get_or_try_init(|| async {
                match (&self.inner.config.project_ref, &self.inner.config.credentials) {
                    (ProjectRef::Project(id), _) => Ok(id.clone()),
                    (ProjectRef::Region(_), Credentials::Password { .. }) => {
                        Ok(self.get_or_request_token(None).await?.project)
                    }
                    (ProjectRef::Region(region), Credentials::AccessKey { .. }) => {
                        self.find_project_by_region(region).await
                    }
                }
            })
            .await
    }

    async fn find_project_by_region(&self, region: &str) -> Result<ProjectId, ClientError> {
        let query = vec![("name", region.to_owned())];
        let request =
            self.build_iam_request("looking up the project of the region", Method::GET, "/v3/projects", query);
        let response: ProjectsResponse = self.send_json_request(&request).await?;
        match response.projects.as_slice() {
            [only] => {
                only.id.parse().map_err(|error| project_lookup_error(region, format!("its id is invalid: {error}")))
            }
            [] => Err(project_lookup_error(region, "there is none".to_owned())),
            several => {
                let found: Vec<String> = several
                    .iter()
                    .take(10)
                    .map(|Project { id, name }| {
                        format!("{} ({})", sanitize_server_text(id, 64), sanitize_server_text(name, 64))
                    })
                    .collect();
                Err(project_lookup_error(region, format!("there are {}: {}", several.len(), found.join(", "))))
            }
        }
    }
}

fn project_lookup_error(region: &str, found: String) -> ClientError {
    ClientError::ProjectLookup { region: region.to_owned(), found }
}
