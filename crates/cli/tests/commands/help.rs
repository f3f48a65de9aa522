//! Help, completions and the description of the API.

use crate::run::run;

#[tokio::test]
async fn every_command_that_takes_arguments_shows_an_example() {
    for command in [
        vec!["snapshot"],
        vec!["doctor"],
        vec!["init"],
        vec!["serve"],
        vec!["instance", "add"],
        vec!["collect"],
        vec!["completions"],
        vec![],
    ] {
        let ended = run(&[command.as_slice(), &["--help"]].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("Example") && ended.stdout.contains("clew "), "{command:?}: {ended:?}");
    }
}

#[tokio::test]
async fn the_description_and_the_completions_are_printed() {
    let openapi: serde_json::Value = serde_json::from_str(&run(&["openapi"]).await.stdout).unwrap();
    let path = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session";
    assert!(openapi["paths"][path]["post"].is_object(), "{openapi}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).await.stdout.contains("snapshot"), "{shell}");
    }
    assert_eq!(run(&["no-such-command"]).await.code, Some(2));
}
