//! Random and malformed input: no panics, and no unintended permissions.

use clew_iam::decision::{Action, policies_may_allow_action};
use clew_iam::policy::{Policy, system_policies};
use clew_iam::signature::AuthorizationHeader;
use clew_iam::token;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::facts::{Facts, PROJECT};

const VALID: &str = r#"{"Version":"5.0","Statement":[
{"Sid":"a","Effect":"Allow","Action":["gaussdbformysql:instance:list*"],"Resource":["gaussdbformysql:*:*:instance:*"],
 "Condition":{"StringEquals":{"g:ResourceTag/env":["dev","test"]},"IpAddressIfExists":{"g:SourceIp":"10.0.0.0/8"}}},
{"Effect":"Deny","NotAction":["gaussdbformysql:*:get*"],"Condition":{"ForAnyValue:StringNotMatch":{"g:TagKeys":"e*"}}}]}"#;

/// Random JSON that often uses names of policies.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("Version".to_owned()),
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Action".to_owned()),
        Just("Resource".to_owned()),
        Just("Condition".to_owned()),
        Just("StringEquals".to_owned()),
        Just("uri".to_owned()),
        Just("g:UserName".to_owned()),
        any::<String>(),
    ];
    let text = prop_oneof![
        Just("5.0".to_owned()),
        Just("1.1".to_owned()),
        Just("Allow".to_owned()),
        Just("*".to_owned()),
        Just("a:b:c".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Asserts that the policy allows no action.
fn assert_allows_nothing(text: &str) {
    let Ok(policy) = Policy::parse(text) else { return };
    let principal = Facts::default().principal(&[policy]);
    for &action in Action::ALL {
        assert!(
            !policies_may_allow_action(&principal, action, &PROJECT.parse().unwrap()),
            "{text:?} allows {}",
            action.name
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn random_bytes_are_rejected(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Policy::parse(&String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn random_text_is_rejected(text in "\\PC{0,300}") {
        prop_assert!(Policy::parse(&text).is_err());
    }

    #[test]
    fn random_json_is_rejected(value in any_json()) {
        let errors = Policy::parse(&value.to_string());
        prop_assert!(errors.is_err(), "{}", value);
        let errors = errors.unwrap_err();
        prop_assert!(!errors.diagnostics().is_empty());
        prop_assert!(errors.diagnostics().iter().all(|finding| finding.line >= 1 && finding.column >= 1));
    }

    /// A valid document around a random statement is rejected.
    #[test]
    fn random_statements_are_rejected(statement in any_json(), version in prop::sample::select(vec!["1.0", "1.1", "5.0"])) {
        let document = json!({"Version": version, "Statement": [statement]}).to_string();
        prop_assert!(Policy::parse(&document).is_err());
    }

    /// A random condition or resource does not panic and allows nothing.
    #[test]
    fn random_conditions_and_resources_allow_nothing(condition in any_json(), resource in any_json()) {
        let statement = json!({"Effect": "Deny", "Action": ["*:*:*"], "Condition": condition, "Resource": resource});
        for version in ["1.1", "5.0"] {
            assert_allows_nothing(&json!({"Version": version, "Statement": [statement]}).to_string());
        }
    }

    /// A modified policy is rejected, or it is a valid policy that can be evaluated.
    #[test]
    fn mutated_policies_do_not_panic(at in 0..VALID.len(), length in 0_usize..40, put in "\\PC{0,6}", cut in any::<bool>()) {
        let (start, end) = (VALID.floor_char_boundary(at), VALID.floor_char_boundary((at + length).min(VALID.len())));
        let text = if cut { VALID[..start].to_owned() } else { format!("{}{put}{}", &VALID[..start], &VALID[end..]) };
        if let Ok(policy) = Policy::parse(&text) {
            for &action in Action::ALL {
                let _ = Facts { action: action.name.to_owned(), ..Facts::default() }.decide(std::slice::from_ref(&policy));
            }
        } else if !cut {
            // A rejected document has no policy, so none of its statements can allow anything.
            prop_assert!(text != VALID);
        }
    }

    /// A document without its closing brackets is rejected.
    #[test]
    fn truncated_policies_are_rejected(at in 0..VALID.len()) {
        prop_assert!(Policy::parse(&VALID[..VALID.floor_char_boundary(at)]).is_err());
    }

    #[test]
    fn random_authorization_headers_are_rejected(header in ".{0,300}", known in any::<bool>()) {
        let header = if known { format!("SDK-HMAC-SHA256 Access={header}") } else { header };
        if let Ok(read) = AuthorizationHeader::parse(&header) {
            prop_assert!(known && !read.signed_headers.is_empty());
        }
    }

    #[test]
    fn token_hashes_are_unique(one in ".{0,100}", other in ".{0,100}") {
        prop_assert_eq!(token::hash_token(&one) == token::hash_token(&other), one == other);
    }
}

#[test]
fn system_policies_without_any_one_byte_do_not_panic() {
    for policy in &system_policies::SYSTEM_POLICIES {
        for at in 0..policy.document.len() {
            let text = format!("{}{}", &policy.document[..at], &policy.document[at + 1..]);
            // Some deletions leave a valid policy; none may cause a panic.
            if let Ok(rest) = Policy::parse(&text) {
                assert_eq!(rest.statements().len(), 1);
            }
        }
    }
}
