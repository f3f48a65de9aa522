//! `clew policy attach` and `clew policy detach`: manage the policies that are attached to users and groups.

use clap::Args;
use clew_model::{GroupId, UserId};
use clew_store::Grantee;
use serde_json::json;

use crate::error::{CliError, refused};
use crate::identity_directory::{IdentityDirectory, NamedPolicy};
use crate::store_args::IamDomainArgs;

#[derive(Debug, Args)]
pub(crate) struct PolicyAttachmentArgs {
    /// Name or id of the policy
    policy: String,
    /// Name or id of a user
    #[arg(long, value_name = "USER", required_unless_present = "group", conflicts_with = "group")]
    user: Option<String>,
    /// Name or id of a group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Name or id of the project for a role policy [default: all projects]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(super) const ATTACH_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew policy attach read-test --user ada
  clew policy attach \"TaurusDB ReadOnlyAccess\" --group developers --project shop

Identity policies (version 5.0) can be attached to users and groups. Role policies (versions 1.0 and 1.1) can be attached to groups,
for one project or for all.";

struct PolicyWithGrantee {
    policy: NamedPolicy,
    grantee: Grantee,
    project: Option<clew_store::Project>,
    /// Text such as `the group developers for the project web`.
    to: String,
}

impl PolicyAttachmentArgs {
    async fn find_policy_and_grantee(&self, directory: &IdentityDirectory) -> Result<PolicyWithGrantee, CliError> {
        let policy = directory.find_policy(&self.policy).await?;
        let (grantee, to) = match (&self.user, &self.group) {
            (Some(user), _) => {
                let user = directory.find_user(user).await?;
                (Grantee::User(user.id), format!("the user {}", user.name))
            }
            (None, group) => {
                let group = directory.find_group(group.as_deref().unwrap_or_default()).await?;
                (Grantee::Group(group.id), format!("the group {}", group.name))
            }
        };
        let project = match &self.project {
            Some(project) => Some(directory.find_project(project).await?),
            None => None,
        };
        let to = project.as_ref().map_or(to.clone(), |project| format!("{to} for the project {}", project.name));
        Ok(PolicyWithGrantee { policy, grantee, project, to })
    }
}

impl PolicyWithGrantee {
    fn validate_policy_attachment(&self) -> Result<(), CliError> {
        let name = &self.policy.name;
        match (self.policy.model, &self.grantee, &self.project) {
            ("role", Grantee::User(_), _) => {
                Err(refused!("{name} is a role policy (version 1.0 or 1.1), which can be attached only to groups")
                    .with_suggested_fix(
                        "attach it to a group with --group, and add the user to the group with clew group add",
                    ))
            }
            ("identity", _, Some(_)) => {
                Err(refused!("{name} is an identity policy (version 5.0), which applies to all projects")
                    .with_suggested_fix("omit --project, and use g:ProjectName in a Condition of the policy"))
            }
            _ => Ok(()),
        }
    }
}

pub(super) async fn attach_or_detach_policy(arguments: &PolicyAttachmentArgs, attach: bool) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let attachment = arguments.find_policy_and_grantee(&directory).await?;
    if attach {
        attachment.validate_policy_attachment()?;
    }
    let PolicyWithGrantee { policy, grantee, project, to } = &attachment;
    let (policies, origin, name) = (directory.store.policies(), &directory.origin, &policy.name);
    let project = project.as_ref().map(|project| &project.id);
    let text = if attach && policies.attach_policy(origin, &policy.reference, grantee, project).await? {
        format!("Attached {name} to {to}.\n")
    } else if attach {
        format!("{name} is already attached to {to}.\n")
    } else if policies.detach_policy(origin, &policy.reference, grantee, project).await? {
        format!("Detached {name} from {to}.\n")
    } else {
        return Err(
            refused!("{name} is not attached to {to}").with_suggested_fix("clew policy show lists the attachments")
        );
    };
    let (user, group) = user_and_group_ids(grantee);
    directory.format.print(
        || text,
        || {
            json!({
                "policy": name, "user_id": user, "group_id": group, "project_id": project, "attached": attach,
            })
        },
    )
}

pub(super) fn user_and_group_ids(grantee: &Grantee) -> (Option<&UserId>, Option<&GroupId>) {
    match grantee {
        Grantee::User(id) => (Some(id), None),
        Grantee::Group(id) => (None, Some(id)),
    }
}
