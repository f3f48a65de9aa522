//! Errors of invalid documents, with their positions.

mod limits;
mod operators;

use clew_iam::policy::{PermissionModel, Policy};
use serde_json::{Value, json};

/// Errors of a document, as `line:column path: message`.
fn errors(text: &str) -> Vec<String> {
    match Policy::parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.diagnostics().iter().map(ToString::to_string).collect(),
    }
}

/// The only error of a document.
fn only_error(text: &str) -> String {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
    errors.into_iter().next().unwrap()
}

fn document_with(version: &str, statement: &Value) -> String {
    json!({"Version": version, "Statement": [statement]}).to_string()
}

fn assert_rejected(version: &str, statement: &Value, path: &str, why: &str) {
    let error = only_error(&document_with(version, statement));
    assert!(error.contains(&format!(": $.Statement[0]{path}: ")) && error.contains(why), "{statement}: {error}");
}

fn assert_accepted(version: &str, statement: &Value) {
    let errors = errors(&document_with(version, statement));
    assert!(errors.is_empty(), "{version} {statement}: {errors:?}");
}

#[test]
fn all_errors_are_reported_with_their_positions() {
    let text = r#"{
  "Version": "5.0",
  "Statment": [],
  "Statement": [
    {
      "Efect": "Allow",
      "Action": ["gaussdbformysql:instance:list", 7, "list"]
    },
    {
      "Effect": "Maybe",
      "Action": ["*"], "NotAction": ["*"],
      "Resource": "*",
      "Condition": {
        "StringLike": {"g:UserName": "a*"},
        "DateLessThan": {"g:CurrentTime": ["2026-01-01T00:00:00Z", "tomorrow"]},
        "Bool": {"g:SecureTransport": true},
        "IpAddress": {"g:SourceIp": []}
      }
    }
  ]
}"#;
    let expected = [
        "3:3: $.Statment: version 5.0 does not support the element \"Statment\" here; did you mean \"Statement\"?",
        "5:5: $.Statement[0]: the element \"Effect\" is missing",
        "6:7: $.Statement[0].Efect: version 5.0 does not support the element \"Efect\" here; did you mean \"Effect\"?",
        "7:51: $.Statement[0].Action[1]: expected a string, but found a number; use the string \"7\"",
        "7:54: $.Statement[0].Action[2]: \"list\" is not a valid action: the format is service:type:operation, such as \
         \"gaussdb:instance:list\"",
        "10:17: $.Statement[1].Effect: \"Maybe\" is not a valid effect; use \"Allow\" or \"Deny\"",
        "11:37: $.Statement[1].NotAction: Action and NotAction are mutually exclusive; remove one",
        "12:19: $.Statement[1].Resource: expected a list, [...], but found a string",
        "14:9: $.Statement[1].Condition.StringLike: unknown operator \"StringLike\"; did you mean \"StringMatch\"?",
        "15:68: $.Statement[1].Condition.DateLessThan[\"g:CurrentTime\"][1]: DateLessThan requires an ISO 8601 date, \
         such as \"2026-08-01T00:00:00Z\", not \"tomorrow\"",
        "16:39: $.Statement[1].Condition.Bool[\"g:SecureTransport\"]: expected a string, but found a boolean; use \
         the string \"true\"",
        "17:37: $.Statement[1].Condition.IpAddress[\"g:SourceIp\"]: the list is empty",
    ];
    let found = errors(text);
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn columns_count_characters() {
    let error = only_error(
        "{\"Version\": \"5.0\",\n \"Statement\": [{\"Sid\": \"日本語é\", \"Effect\": 1, \"Action\": [\"*\"]}]}",
    );
    assert!(error.starts_with("2:42: $.Statement[0].Effect: "), "{error}");
}

#[test]
fn invalid_json_is_reported_at_its_position() {
    let right = document_with("5.0", &json!({"Effect": "Allow", "Action": ["*"]}));
    assert!(errors(&right).is_empty());
    for (text, at) in [
        (String::new(), "1:1"),
        (" \n".to_owned(), "2:1"),
        ("null and void".to_owned(), "1:6"),
        (format!("\u{feff}{right}"), "1:1"),
        (format!("{right} {right}"), "1:"),
        (format!("{right},"), "1:"),
        (format!("{right}\0"), "1:"),
        (format!("// policy\n{right}"), "1:1"),
        (format!("/**/{right}"), "1:1"),
        (right.replace("\"Effect\"", "Effect"), "1:"),
        (right.replace("\"Effect\"", "'Effect'"), "1:"),
        (right.replace("\"Effect\"", "\"Eff\nect\""), "2:1"),
        (right.replace("\"Effect\"", "\"Eff\tect\""), "1:"),
        (right.replace("\"Effect\"", "\"\\x45ffect\""), "1:"),
        (right.replace("[\"*\"]", "[\"*\",]"), "1:"),
        (right.replace("[\"*\"]", "[\"*\" \"a:b:c\"]"), "1:"),
        (right.replace("[\"*\"]", "[\"\\ud800\"]"), "1:"),
        (right.replace("[\"*\"]", "[01]"), "1:"),
        (right.replace("[\"*\"]", "[+1]"), "1:"),
        (right.replace("[\"*\"]", "[0x1]"), "1:"),
        (right.replace("[\"*\"]", "[.5]"), "1:"),
        (right.replace("[\"*\"]", "[NaN]"), "1:"),
        (right.replace("[\"*\"]", "[\"*\""), "1:"),
        (right.replace(':', "\u{a0}:"), "1:"),
        (right.replace(':', "\u{c}:"), "1:"),
        (right.trim_end_matches('}').to_owned(), "1:"),
    ] {
        let error = only_error(&text);
        assert!(error.starts_with(at) && error.contains("$: invalid JSON: "), "{text:?}: {error}");
    }
}

#[test]
fn json_escapes_are_decoded() {
    let text = r#"{"\u0056ersion":"5.0","Statement":[{"Effect":"\u0041llow","Action":["\u002a"]}]}"#;
    assert!(errors(text).is_empty());
    let twice = r#"{"Version":"5.0","\u0056ersion":"1.1","Statement":[{"Effect":"Allow","Action":["*:*:*"]}]}"#;
    assert_eq!(only_error(twice), "1:18: $.Version: duplicate element \"Version\"; remove one");
}

#[test]
fn repeated_element_is_an_error() {
    let text = r#"{"Version":"5.0","Statement":[{"Effect":"Deny","Effect":"Allow","Action":["*"]}]}"#;
    assert_eq!(only_error(text), "1:48: $.Statement[0].Effect: duplicate element \"Effect\"; remove one");
    let text = r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"],
        "Condition":{"Bool":{"g:SecureTransport":"true","g:SecureTransport":"false"}}}]}"#;
    assert!(only_error(text).starts_with("2:57: $.Statement[0].Condition.Bool[\"g:SecureTransport\"]: "));
    let text = r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"],
        "Condition":{"Bool":{"g:SecureTransport":"true"},"Bool":{"g:SecureTransport":"false"}}}]}"#;
    assert!(only_error(text).starts_with("2:58: $.Statement[0].Condition.Bool: "));
}

#[test]
fn empty_values_are_errors() {
    for (text, path) in [
        ("{}", "$: the object is empty"),
        (r#"{"Version":"5.0"}"#, "$: the element \"Statement\" is missing"),
        (r#"{"Version":"5.0","Statement":[]}"#, "$.Statement: the list is empty"),
        (r#"{"Version":"5.0","Statement":[{}]}"#, "$.Statement[0]: the object is empty"),
    ] {
        assert!(only_error(text).contains(path), "{text}: {}", only_error(text));
    }
    assert_rejected("5.0", &json!({"Effect": "Allow", "Action": []}), ".Action", "the list is empty");
    assert_rejected("5.0", &json!({"Effect": "Allow", "NotAction": []}), ".NotAction", "the list is empty");
    assert_rejected(
        "5.0",
        &json!({"Effect": "Allow", "Action": ["*"], "Resource": []}),
        ".Resource",
        "the list is empty",
    );
    assert_rejected(
        "5.0",
        &json!({"Effect": "Allow", "Action": ["*"], "Condition": {}}),
        ".Condition",
        "the object is empty",
    );
    assert_rejected(
        "5.0",
        &json!({"Effect": "Allow", "Action": ["*"], "Condition": {"Bool": {}}}),
        ".Condition.Bool",
        "the object is empty",
    );
    assert_rejected("5.0", &json!({"Effect": "Allow"}), "", "neither Action nor NotAction");
    assert_rejected("5.0", &json!({"Action": ["*"]}), "", "\"Effect\" is missing");
    assert_rejected("5.0", &json!({"Effect": "Allow", "Action": [""]}), ".Action[0]", "is not a valid action");
    assert_rejected(
        "5.0",
        &json!({"Effect": "Allow", "Action": ["*"], "Resource": [""]}),
        ".Resource[0]",
        "is not a valid resource",
    );
}

#[test]
fn wrong_types_are_reported() {
    for (value, why) in
        [(json!("x"), "a string"), (json!(1), "a number"), (json!({"a": 1}), "an object"), (json!(null), "null")]
    {
        assert_rejected("5.0", &json!({"Effect": "Allow", "Action": value}), ".Action", why);
    }
    assert_rejected("5.0", &json!({"Effect": ["Allow"], "Action": ["*"]}), ".Effect", "a list");
    assert_rejected("5.0", &json!({"Sid": 1, "Effect": "Allow", "Action": ["*"]}), ".Sid", "use the string \"1\"");
    assert_rejected("5.0", &json!({"Effect": "Allow", "Action": ["*"], "Condition": []}), ".Condition", "a list");
    assert_rejected("5.0", &json!({"Effect": "Allow", "Action": [null]}), ".Action[0]", "null");
    for text in
        [r#"{"Version":"5.0","Statement":{"Effect":"Allow","Action":["*"]}}"#, r#"{"Version":"5.0","Statement":["x"]}"#]
    {
        assert!(only_error(text).contains("$.Statement"), "{text}");
    }
    for text in ["[]", "\"x\"", "1", "true", "null"] {
        assert!(only_error(text).contains("1:1: $: expected an object"), "{text}");
    }
}

#[test]
fn unknown_versions_are_rejected() {
    for version in ["1.0", "1.1", "5.0"] {
        let policy = Policy::parse(&document_with(version, &json!({"Effect": "Allow", "Action": ["*:*:*"]}))).unwrap();
        let model = if version == "5.0" { PermissionModel::IdentityBased } else { PermissionModel::RoleBased };
        assert_eq!((policy.version(), policy.permission_model()), (version, model));
    }
    for version in ["", "1", "1.2", "5", "5.1", "2012-10-17"] {
        let text = document_with(version, &json!({"Effect": "Allow", "Action": ["*:*:*"]}));
        assert!(only_error(&text).contains("$.Version: unknown version"), "{version}");
    }
    assert!(only_error(r#"{"Version":5.0,"Statement":[]}"#).contains("use the string \"5.0\""));
    assert!(only_error(r#"{"Statement":[{"Effect":"Allow","Action":["*"]}]}"#).contains("\"Version\" is missing"));
}

#[test]
fn elements_and_formats_depend_on_the_version() {
    let with = |name: &str, value: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": ["gaussdb:instance:list"]});
        statement[name] = value;
        statement
    };
    assert_rejected("1.0", &with("Resource", json!(["*"])), ".Resource", "version 1.0 does not support the element");
    assert_rejected(
        "1.0",
        &with("Condition", json!({"Bool": {"g:SecureTransport": "true"}})),
        ".Condition",
        "version 1.0",
    );
    assert_rejected("1.1", &with("Sid", json!("x")), ".Sid", "version 1.1 does not support the element");
    assert_rejected("5.0", &with("Principal", json!("*")), ".Principal", "version 5.0 does not support the element");
    assert_rejected("5.0", &with("Resource", json!({"uri": ["*"]})), ".Resource", "but found an object");
    assert_rejected(
        "1.1",
        &with("Resource", json!({"url": ["*"], "uri": ["*"]})),
        ".Resource.url",
        "did you mean \"uri\"?",
    );
    assert_rejected("5.0", &json!({"Effect": "allow", "Action": ["*"]}), ".Effect", "is not a valid effect");
    assert_rejected("5.0", &json!({"Effect": "ALLOW", "Action": ["*"]}), ".Effect", "is not a valid effect");
    for action in
        ["gaussdb:instance:lis?", "*", "gaussdb:*", "GaussDB:instance:list", "gaussdb:instance:list:x", "gaussdb::list"]
    {
        assert_rejected("1.1", &json!({"Effect": "Allow", "Action": [action]}), ".Action[0]", "is not a valid action");
    }
    for action in ["a:b", "a:b:c:d", "a::c", ":b:c", "a:b:", "a:b:c d", "a:b:ç", "a"] {
        assert_rejected("5.0", &json!({"Effect": "Allow", "Action": [action]}), ".Action[0]", "is not a valid action");
    }
    for resource in ["x", "a:b:c:d", "a:b:c:d:e:f", ":::instance:x", "a:b:c::e", "a:b:c:d:", "**"] {
        assert_rejected("5.0", &with("Resource", json!([resource])), ".Resource[0]", "is not a valid resource");
        assert_rejected("1.1", &with("NotResource", json!([resource])), ".NotResource[0]", "is not a valid resource");
    }
    let both = json!({"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "NotResource": ["*"]});
    assert_rejected("5.0", &both, ".NotResource", "mutually exclusive");
    let depends =
        r#"{"Version":"1.0","Depends":[{"any":"thing"}],"Statement":[{"Effect":"Allow","Action":["a:b:c"]}]}"#;
    assert!(errors(depends).is_empty());
    assert!(only_error(&depends.replace("1.0", "1.1")).contains("$.Depends: version 1.1 does not support the element"));
}
