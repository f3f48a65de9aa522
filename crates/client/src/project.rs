//! Looks up a region's project with `GET {iam}/v3/projects?name=<region>` (TaurusDB API spec, section 8.3).

use clew_model::ProjectId;
use reqwest::Method;
use serde::Deserialize;

use crate::Client;
use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::response::sanitize_server_text;
use crate::retry::Idempotency;
use crate::transport::ApiRequest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProjectRef {
    Project(ProjectId),
    /// Name of the region, which is also the name of the region's project.
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
    /// Returns the id of the client's project. If only the region is configured, looks up the id once and caches it.
    pub async fn project_id(&self) -> Result<&ProjectId, ClientError> {
        self.inner
            .project
            .get_or_try_init(|| async {
                match (&self.inner.project_ref, &self.inner.credentials) {
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
        let request = ApiRequest {
            operation: "looking up the project of the region",
            method: Method::GET,
            endpoint: &self.inner.iam_endpoint,
            path: "/v3/projects".to_owned(),
            query: vec![("name", region.to_owned())],
            content_type: None,
            body: String::new(),
            project: None,
            unsigned_headers: Vec::new(),
            idempotency: Idempotency::Idempotent,
        };
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
                    .map(|project| {
                        format!(
                            "{} ({})",
                            sanitize_server_text(&project.id, 64),
                            sanitize_server_text(&project.name, 64)
                        )
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
