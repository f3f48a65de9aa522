//! Limits of documents.

use clew_iam::policy::MAX_POLICY_DOCUMENT_BYTES;
use serde_json::{Value, json};

use super::{assert_accepted, document_with, errors, only_error};

#[test]
fn depth_and_length_are_limited() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let error = only_error(&open.repeat(1_000_000 / open.len() / 20));
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }
    let long = format!("{}{}", " ".repeat(MAX_POLICY_DOCUMENT_BYTES), "{}");
    assert!(only_error(&long).starts_with("1:1: $: the document has 65538 bytes"));
    assert!(only_error(&"[".repeat(100_000_000)).contains("the maximum is 65536"));
}

/// Each limit is tested at its value and one past it (TaurusDB API spec, section 4.5).
#[test]
fn versions_1_x_have_limits_and_5_0_has_none() {
    let list = |count: usize, item: &str| vec![item.to_owned(); count];
    let with = |name: &str, value: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": ["a:b:c"]});
        statement[name] = value;
        statement
    };
    let action = |length: usize| format!("a:b:{}", "c".repeat(length - 4));
    let resource = |length: usize| format!("a:b:c:d:{}", "e".repeat(length - 8));
    let operators =
        ["StringEquals", "StringNotEquals", "StringMatch", "StringNotMatch", "StringStartWith", "StringEndWith"];
    let operators = operators.iter().flat_map(|name| [(*name).to_owned(), format!("{name}IfExists")]);
    let operators: Vec<String> = operators.collect();
    let conditions = |count: usize| -> Value {
        operators
            .iter()
            .take(count)
            .map(|name| (name.clone(), json!({"g:UserName": "x"})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let keys = |count: usize| -> Value {
        let keys = (0..count).map(|index| (format!("g:ResourceTag/{index}"), json!("x")));
        json!({"StringEquals": keys.collect::<serde_json::Map<_, _>>()})
    };
    let value = |length: usize| json!({"StringEquals": {"g:UserName": ["x".repeat(length)]}});
    for (most, too_much, path) in [
        (with("Action", json!(list(100, "a:b:c"))), with("Action", json!(list(101, "a:b:c"))), ".Action"),
        (with("Action", json!([action(128)])), with("Action", json!([action(129)])), ".Action[0]"),
        (with("Resource", json!(list(10, "a:b:c:d:e"))), with("Resource", json!(list(11, "a:b:c:d:e"))), ".Resource"),
        (with("Resource", json!([resource(1500)])), with("Resource", json!([resource(1501)])), ".Resource[0]"),
        (
            with("Resource", json!({"uri": list(20, "/x")})),
            with("Resource", json!({"uri": list(21, "/x")})),
            ".Resource.uri",
        ),
        (with("Condition", conditions(10)), with("Condition", conditions(11)), ".Condition"),
        (with("Condition", keys(10)), with("Condition", keys(11)), ".Condition.StringEquals"),
        (with("Condition", value(1024)), with("Condition", value(1025)), ".Condition.StringEquals[\"g:UserName\"][0]"),
        (with("Condition", value(1)), with("Condition", value(0)), ".Condition.StringEquals[\"g:UserName\"][0]"),
    ] {
        assert_accepted("1.1", &most);
        let error = only_error(&document_with("1.1", &too_much));
        assert!(error.contains(&format!("$.Statement[0]{path}: ")), "{error}");
        if !path.ends_with("uri") {
            assert_accepted("5.0", &too_much);
        }
    }
    let statements = |version: &str, count: usize| {
        json!({"Version": version, "Statement": vec![json!({"Effect": "Allow", "Action": ["a:b:c"]}); count]})
            .to_string()
    };
    assert!(errors(&statements("1.1", 8)).is_empty() && errors(&statements("5.0", 9)).is_empty());
    assert!(
        only_error(&statements("1.1", 9))
            .contains("$.Statement: 9 statements exceed the limit of this version, which is 8")
    );
    let padded = |version: &str, length: usize| format!("{:length$}", statements(version, 1));
    assert!(errors(&padded("1.1", 6_144)).is_empty() && errors(&padded("5.0", 6_145)).is_empty());
    assert!(
        only_error(&padded("1.1", 6_145))
            .contains("$: 6145 characters exceed the limit of this version, which is 6144")
    );
}
