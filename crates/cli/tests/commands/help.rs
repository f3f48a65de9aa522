//! Help, completions and the OpenAPI document.

use crate::run::run;

/// Returns the names of the subcommands in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let after = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.is_empty());
    // Continuation lines have a larger indentation.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[tokio::test]
async fn every_command_help_has_an_example() {
    let mut pending = vec![Vec::<String>::new()];
    let mut seen = Vec::new();
    while let Some(command) = pending.pop() {
        let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = run(&arguments).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        let inner = subcommands(&output.stdout);
        if inner.is_empty() && command != ["openapi"] {
            assert!(output.stdout.contains("Example") && output.stdout.contains("  clew "), "{command:?}: {output:?}");
        }
        pending.extend(inner.into_iter().map(|name| [command.as_slice(), &[name]].concat()));
        seen.push(command.join(" "));
    }
    for command in ["", "snapshot", "instance untag", "policy simulate", "audit verify", "enterprise-project update"] {
        assert!(seen.iter().any(|name| name == command), "{command:?} is not in {seen:?}");
    }
}

#[tokio::test]
async fn openapi_document_and_completions_are_printed() {
    let openapi: serde_json::Value = serde_json::from_str(&run(&["openapi"]).await.stdout).unwrap();
    let path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session";
    assert!(openapi["paths"][path]["post"].is_object(), "{openapi}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).await.stdout.contains("snapshot"), "{shell}");
    }
    assert_eq!(run(&["no-such-command"]).await.code, Some(2));
}

#[tokio::test]
async fn configuration_file_in_the_help_is_valid() {
    let help = run(&["serve", "--help"]).await.stdout;
    let after = help.split("Configuration file with all keys at their defaults:\n").nth(1).unwrap();
    let file: Vec<&str> = after.lines().take_while(|line| line.starts_with("  ")).map(str::trim_start).collect();
    let parsed: toml::Table = file.join("\n").parse().unwrap();
    assert_eq!(parsed["collections"]["concurrency"].as_integer(), Some(64), "{parsed}");
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), file.join("\n").replace("./clew-data", "/no/such/folder")).unwrap();
    let output = run(&["serve", "--config", config.path().to_str().unwrap()]).await;
    assert!(output.stderr.contains("/no/such/folder"), "the configuration contains only known keys: {output:?}");
}
