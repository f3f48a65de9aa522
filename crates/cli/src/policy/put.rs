//! `clew policy put`: creates or replaces a policy.

use std::path::PathBuf;

use clap::Args;
use clew_iam::policy::system_policies;
use clew_store::PolicyRef;
use serde_json::json;

use super::document::{PolicyDocument, format_count_with_noun, parse_policy_and_print_diagnostics};
use crate::error::{CliError, refused};
use crate::identity_directory::permission_model_name;
use crate::store_args::IamDomainArgs;
use crate::value_parsers;

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Name, unique in the domain
    #[arg(value_parser = value_parsers::parse_policy_name)]
    name: String,
    /// Policy document, or - for stdin
    file: PathBuf,
    /// Description [default: unchanged]
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew policy put read-test read-test.json --description \"read the test instances\"
  clew policy put read-test - <<'END'
  {
    \"Version\": \"5.0\",
    \"Statement\": [{
      \"Effect\": \"Allow\",
      \"Action\": [\"gaussdbformysql:instance:list\", \"gaussdbformysql:instance:getRealtimeSession\"],
      \"Condition\": {\"StringEquals\": {\"g:ResourceTag/env\": \"test\"}}
    }]
  }
  END

An invalid document is rejected. All errors are printed with line and column.";

pub(super) async fn run(arguments: PutArgs) -> Result<(), CliError> {
    let PutArgs { name, file, description, domain_args } = arguments;
    if system_policies::find_system_policy(&name).is_some() {
        return Err(refused!("{name} is a system policy and cannot be replaced; choose another name"));
    }
    let document = PolicyDocument::read(&file)?;
    let policy = parse_policy_and_print_diagnostics(&document)?;
    let directory = domain_args.open_identity_directory().await?;
    let (store, domain) = (&directory.store, &directory.domain.id);
    let model = permission_model_name(policy.permission_model());
    let before = store.policies().find_policy_by_name(domain, &name).await?;
    if let Some(before) = before.as_ref().filter(|before| before.model != model) {
        // The policy model restricts the allowed grantees and projects, so an attached policy cannot change its model.
        let times = store.policies().list_policy_attachments(&PolicyRef::Custom(before.id.clone())).await?.len();
        if times > 0 {
            let times = format_count_with_noun(times, "time");
            return Err(refused!(
                "{name} has the policy model {} and is attached {times}; a policy with the model {model} cannot \
                 replace it",
                before.model
            )
            .with_suggested_fix("detach it first, or choose another name"));
        }
    }
    let replaced = before.is_some();
    let description = description.or(before.map(|before| before.description)).unwrap_or_default();
    let id = store.policies().put_policy(&directory.origin, domain, &name, model, &document.text, &description).await?;
    let version = policy.version();
    directory.format.print(
        || {
            let verb = if replaced { "Replaced" } else { "Created" };
            let statements = format_count_with_noun(policy.statements().len(), "statement");
            let line = format!("{verb} the policy {name} ({id}): version {version}, {statements}.\n");
            if replaced { line } else { format!("{line}Next: clew policy attach {name} --group GROUP\n") }
        },
        || json!({ "id": id, "name": name, "model": model, "version": version, "warnings": policy.warnings() }),
    )
}
