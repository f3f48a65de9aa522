//! `clew policy put`

use std::path::PathBuf;

use clap::Args;
use clew_iam::policy::system;
use clew_store::PolicyRef;
use serde_json::json;

use super::document::{Document, count, need_policy};
use crate::directory::{Place, name_of_model};
use crate::error::CliError;
use crate::names;

/// Keep a policy, in the place of the one of this name if there is one. It holds at once for all whom it is attached to.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name, unique in the domain
    #[arg(value_parser = names::parse_policy)]
    name: String,
    /// The document; - means stdin
    file: PathBuf,
    /// What it is for [default: as it was]
    #[arg(long, value_name = "TEXT", value_parser = names::parse_description)]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew policy put look-at-test look.json --description \"the test instances\"
  clew policy put look-at-test - <<'END'
  {
    \"Version\": \"5.0\",
    \"Statement\": [{
      \"Effect\": \"Allow\",
      \"Action\": [\"gaussdbformysql:instance:list\", \"gaussdbformysql:instance:getRealtimeSession\"],
      \"Condition\": {\"StringEquals\": {\"g:ResourceTag/env\": \"test\"}}
    }]
  }
  END

A document that is no policy is refused with everything that is wrong with it, each with line and column.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let Arguments { name, file, description, place } = arguments;
    if system::find(&name).is_some() {
        return Err(CliError::refused(format!("{name} comes with Clew and cannot be replaced; choose another name")));
    }
    let document = Document::read(&file)?;
    let policy = need_policy(&document)?;
    let directory = place.open().await?;
    let (store, domain) = (&directory.store, &directory.domain.id);
    let model = name_of_model(policy.model());
    let before = store.policy_by_name(domain, &name).await?;
    if let Some(before) = before.as_ref().filter(|before| before.model != model) {
        // What an attachment may be depends on the model.
        let times = store.attachments_of(&PolicyRef::Own(before.id.clone())).await?.len();
        if times > 0 {
            let times = count(times, "time");
            return Err(CliError::refused(format!(
                "{name} is a policy of the model {} and attached {times}; one of the model {model} cannot take its place",
                before.model
            ))
            .with_hint("detach it first, or choose another name"));
        }
    }
    let replaced = before.is_some();
    let description = description.or(before.map(|before| before.description)).unwrap_or_default();
    let id = store.put_policy(&directory.by, domain, &name, model, &document.text, &description).await?;
    let version = policy.version();
    place.format().say(
        || {
            let what = if replaced { "Replaced" } else { "Made" };
            let statements = count(policy.statements().len(), "statement");
            let made = format!("{what} the policy {name} ({id}): version {version}, {statements}.\n");
            if replaced { made } else { format!("{made}Next: clew policy attach {name} --group GROUP\n") }
        },
        || json!({ "id": id, "name": name, "model": model, "version": version, "warnings": policy.warnings() }),
    )
}
