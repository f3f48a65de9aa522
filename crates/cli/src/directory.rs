//! A data directory and the identities in it, found by names or ids.

mod policy;

use std::path::PathBuf;

use clap::Args;
use clew_model::{DomainId, Origin};
use clew_store::{Domain, EnterpriseProject, Group, Location, Project, Store, User};

pub(crate) use policy::{FoundPolicy, name_of_model};

use crate::configuration::DEFAULT_DATA_DIR;
use crate::error::CliError;
use crate::metadata::Metadata;
use crate::origin;
use crate::output::Format;

/// Where everything is kept.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// Folder that clew init made; a running clew serve sees changes at once
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    metadata: Metadata,
}

/// Where everything is kept, and how to speak of it.
#[derive(Debug, Args)]
pub(crate) struct DataDir {
    #[command(flatten)]
    folder: Folder,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    pub(crate) format: Format,
}

impl Folder {
    /// Where the store is.
    pub(crate) fn location(&self) -> Result<Location, CliError> {
        self.metadata.with(&self.data_dir)
    }

    pub(crate) async fn open(&self) -> Result<Store, CliError> {
        Ok(Store::open(self.location()?).await?)
    }
}

impl DataDir {
    pub(crate) async fn open(&self) -> Result<Store, CliError> {
        self.folder.open().await
    }
}

/// A domain of a data directory.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    data_dir: DataDir,
    /// Name or id of the domain [default: the only one]
    #[arg(long, value_name = "DOMAIN", env = "CLEW_DOMAIN_NAME")]
    domain: Option<String>,
}

impl Place {
    pub(crate) fn format(&self) -> Format {
        self.data_dir.format
    }

    pub(crate) async fn open(&self) -> Result<Directory, CliError> {
        let store = self.data_dir.open().await?;
        let domain = match &self.domain {
            Some(wanted) => domain(&store, wanted).await?,
            None => only_domain(&store).await?,
        };
        Ok(Directory { store, domain, by: origin::local() })
    }
}

/// The domain of this name or id.
pub(crate) async fn domain(store: &Store, named: &str) -> Result<Domain, CliError> {
    one(store.domains().await?, "domain", named, |domain| (domain.id.as_str(), &domain.name))
}

async fn only_domain(store: &Store) -> Result<Domain, CliError> {
    let mut all = store.domains().await?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            let names: Vec<_> = all.into_iter().chain(last).map(|domain| domain.name).collect();
            Err(CliError::refused(format!("name the domain with --domain: {}", names.join(", "))))
        }
    }
}

/// The identities of one domain, and who looks at them.
pub(crate) struct Directory {
    pub(crate) store: Store,
    pub(crate) domain: Domain,
    pub(crate) by: Origin,
}

impl Directory {
    pub(crate) async fn user(&self, named: &str) -> Result<User, CliError> {
        one(self.store.users_of(&self.domain.id).await?, "user", named, |user| (user.id.as_str(), &user.name))
    }

    pub(crate) async fn group(&self, named: &str) -> Result<Group, CliError> {
        one(self.store.groups_of(&self.domain.id).await?, "group", named, |group| (group.id.as_str(), &group.name))
    }

    pub(crate) async fn project(&self, named: &str) -> Result<Project, CliError> {
        let all = self.store.projects_of(&self.domain.id).await?;
        one(all, "project", named, |project| (project.id.as_str(), &project.name))
    }

    pub(crate) async fn enterprise_project(&self, named: &str) -> Result<EnterpriseProject, CliError> {
        enterprise_project(&self.store, &self.domain.id, named).await
    }
}

/// The enterprise project of this name or id.
pub(crate) async fn enterprise_project(
    store: &Store,
    domain: &DomainId,
    named: &str,
) -> Result<EnterpriseProject, CliError> {
    let all = store.enterprise_projects(domain).await?;
    one(all, "enterprise project", named, |project| (&project.id, &project.name))
}

/// The one of this id, else the one of this name.
fn one<T>(all: Vec<T>, what: &str, named: &str, of: fn(&T) -> (&str, &str)) -> Result<T, CliError> {
    let at = all.iter().position(|thing| of(thing).0 == named);
    let at = at.or_else(|| all.iter().position(|thing| of(thing).1 == named));
    let hint = || {
        nearest(named, all.iter().map(|thing| of(thing).1)).map_or_else(
            || format!("clew {} list shows all", what.replace(' ', "-")),
            |name| format!("did you mean {name}?"),
        )
    };
    match at {
        Some(at) => all.into_iter().nth(at).ok_or_else(|| CliError::failed("a list changed while it was read")),
        None => Err(CliError::refused(format!("there is no {what} {named:?}")).with_hint(hint())),
    }
}

/// The known name that was most likely meant.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(name, typed);
    known.min_by_key(|name| distance(name)).filter(|name| distance(name) <= typed.chars().count() / 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(named: &str) -> Result<(&'static str, &'static str), CliError> {
        one(vec![("1", "ada"), ("2", "1"), ("3", "grace")], "user", named, |pair| *pair)
    }

    #[test]
    fn an_id_wins_over_a_name() {
        assert_eq!(find("ada").unwrap().0, "1");
        assert_eq!(find("2").unwrap().1, "1");
        assert_eq!(find("1").unwrap().1, "ada");
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_nearest_name() {
        let shown = format!("{:?}", find("grase").unwrap_err());
        assert!(shown.contains("there is no user") && shown.contains("did you mean grace?"), "{shown}");
        assert!(format!("{:?}", find("zoe").unwrap_err()).contains("clew user list"));
    }
}
