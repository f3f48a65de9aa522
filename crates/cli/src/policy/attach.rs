//! `clew policy attach` and `detach`

use clap::Args;
use clew_store::Grantee;
use serde_json::json;

use crate::directory::{Directory, FoundPolicy, Place};
use crate::error::CliError;

/// Attach a policy to a user or a group. It holds at once.
#[derive(Debug, Args)]
#[command(after_help = ATTACH_HELP)]
pub(super) struct Attach {
    /// Name or id of the policy
    policy: String,
    #[command(flatten)]
    grantee: To,
    #[command(flatten)]
    place: Place,
}

const ATTACH_HELP: &str = "\
Examples:
  clew policy attach look-at-test --user ada
  clew policy attach \"TaurusDB ReadOnlyAccess\" --group developers --project shop

Identity policies (version 5.0) go to users and groups; role policies (1.0, 1.1) go to groups, for all projects or for one.";

/// Take a policy from a user or a group. It ends at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew policy detach look-at-test --user ada")]
pub(super) struct Detach {
    /// Name or id of the policy
    policy: String,
    #[command(flatten)]
    grantee: To,
    #[command(flatten)]
    place: Place,
}

/// Whom a policy is for.
#[derive(Debug, Args)]
struct To {
    /// Name or id of a user
    #[arg(long, value_name = "USER", required_unless_present = "group", conflicts_with = "group")]
    user: Option<String>,
    /// Name or id of a group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Name or id of the one project that a role policy is good for [default: all]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
}

/// An attachment that was found to be possible.
struct Attachment {
    policy: FoundPolicy,
    grantee: Grantee,
    project: Option<clew_store::Project>,
    /// In words.
    to: String,
}

impl To {
    async fn resolve(&self, directory: &Directory, policy: &str) -> Result<Attachment, CliError> {
        let policy = directory.policy(policy).await?;
        let (grantee, to) = match (&self.user, &self.group) {
            (Some(user), _) => {
                let user = directory.user(user).await?;
                (Grantee::User(user.id), format!("the user {}", user.name))
            }
            (None, group) => {
                let group = directory.group(group.as_deref().unwrap_or_default()).await?;
                (Grantee::Group(group.id), format!("the group {}", group.name))
            }
        };
        let project = match &self.project {
            Some(project) => Some(directory.project(project).await?),
            None => None,
        };
        let to = project.as_ref().map_or(to.clone(), |project| format!("{to} for the project {}", project.name));
        Ok(Attachment { policy, grantee, project, to })
    }
}

impl Attachment {
    /// Roles go to groups, and may be good for one project; identity policies go to anyone (spec section 4.1).
    fn check(&self) -> Result<(), CliError> {
        let name = &self.policy.name;
        match (self.policy.model, &self.grantee, &self.project) {
            ("role", Grantee::User(_), _) => Err(CliError::refused(format!(
                "{name} is a role policy (version 1.0 or 1.1), which goes to groups only"
            ))
            .with_hint("attach it to a group with --group, and put the user in it with clew group add")),
            ("identity", _, Some(_)) => Err(CliError::refused(format!(
                "{name} is an identity policy (version 5.0), which holds for all projects"
            ))
            .with_hint("leave --project out, and ask for g:ProjectName in a Condition of the policy")),
            _ => Ok(()),
        }
    }
}

pub(super) async fn attach(arguments: Attach) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let attachment = arguments.grantee.resolve(&directory, &arguments.policy).await?;
    attachment.check()?;
    let Attachment { policy, grantee, project, to } = &attachment;
    let project = project.as_ref().map(|project| &project.id);
    let new = directory.store.attach(&directory.by, &policy.reference, grantee, project).await?;
    let verb = if new { "is attached" } else { "was attached already" };
    say(&arguments.place, &attachment, &format!("{} {verb} to {to}.\n", policy.name), true)
}

pub(super) async fn detach(arguments: Detach) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let attachment = arguments.grantee.resolve(&directory, &arguments.policy).await?;
    let Attachment { policy, grantee, project, to } = &attachment;
    let project = project.as_ref().map(|project| &project.id);
    if !directory.store.detach(&directory.by, &policy.reference, grantee, project).await? {
        return Err(CliError::refused(format!("{} is not attached to {to}", policy.name))
            .with_hint("clew policy show tells whom it is attached to"));
    }
    say(&arguments.place, &attachment, &format!("{} is attached to {to} no more.\n", policy.name), false)
}

fn say(place: &Place, attachment: &Attachment, text: &str, attached: bool) -> Result<(), CliError> {
    let (user, group) = match &attachment.grantee {
        Grantee::User(id) => (Some(id), None),
        Grantee::Group(id) => (None, Some(id)),
    };
    place.format().say(
        || text.to_owned(),
        || {
            json!({
                "policy": attachment.policy.name, "user_id": user, "group_id": group,
                "project_id": attachment.project.as_ref().map(|project| &project.id), "attached": attached,
            })
        },
    )
}
