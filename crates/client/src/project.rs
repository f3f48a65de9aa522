//! The project of a region: `GET {iam}/v3/projects?name=<region>` (spec section 8.3).

use clew_model::ProjectId;
use reqwest::Method;
use serde::Deserialize;

use crate::Client;
use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::exchange::Call;
use crate::response::printable;
use crate::retry::Repeatable;

/// What the client was told about the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its id.
    Project(ProjectId),
    /// The region, which names its project.
    Region(String),
}

#[derive(Deserialize)]
struct Answer {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    #[serde(default)]
    name: String,
}

impl Client {
    /// The project that this client asks about. A region is looked up once; an error is not kept.
    pub async fn project(&self) -> Result<&ProjectId, ClientError> {
        self.inner
            .project
            .get_or_try_init(|| async {
                match (&self.inner.place, &self.inner.credentials) {
                    (Place::Project(id), _) => Ok(id.clone()),
                    (Place::Region(_), Credentials::Password { .. }) => Ok(self.token(None).await?.project),
                    (Place::Region(region), Credentials::AccessKey { .. }) => self.look_up(region).await,
                }
            })
            .await
    }

    async fn look_up(&self, region: &str) -> Result<ProjectId, ClientError> {
        let call = Call {
            doing: "looking up the project of the region",
            method: Method::GET,
            endpoint: &self.inner.iam_endpoint,
            path: "/v3/projects".to_owned(),
            query: vec![("name", region.to_owned())],
            content_type: None,
            body: String::new(),
            project: None,
            unsigned: Vec::new(),
            repeatable: Repeatable::Always,
        };
        let answer: Answer = self.json(&call).await?;
        match answer.projects.as_slice() {
            [only] => only.id.parse().map_err(|error| lookup_error(region, format!("its id is wrong: {error}"))),
            [] => Err(lookup_error(region, "there is none".to_owned())),
            several => {
                let found: Vec<String> = several
                    .iter()
                    .take(10)
                    .map(|one| format!("{} ({})", printable(&one.id, 64), printable(&one.name, 64)))
                    .collect();
                Err(lookup_error(region, format!("there are {}: {}", several.len(), found.join(", "))))
            }
        }
    }
}

fn lookup_error(region: &str, found: String) -> ClientError {
    ClientError::ProjectLookup { region: region.to_owned(), found }
}
