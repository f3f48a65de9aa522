//! Differential test: this crate and `iam-rs`, an evaluator of AWS policies, decide 100,000 random requests.
//!
//! Both evaluators must agree on everything that the two models share. The generator excludes these differences:
//! - `*` in the service of a URN: never matches in AWS; Huawei's model does not forbid it.
//! - Actions without a resource type: `iam-rs` requires a resource.
//! - A plain operator on a key with several values: `iam-rs` compares each expected value with any value of the
//!   request, even for negated operators ("some tag is not env"). Here no value may match a negated operator (spec
//!   section 4.7, `cases/modifiers.json`).
//! - `ForAnyValue:` and `ForAllValues:` with `IfExists`, and for other types than text: not supported by `iam-rs`.
//! - `NaN`, `inf` and exponents: numbers in `iam-rs`. Numbers as dates: Unix timestamps in seconds in `iam-rs`.
//! - Non-ASCII letters in case-insensitive comparisons: `iam-rs` folds ASCII only.
//! - `${...}`: a variable in AWS.
//! - `StringStartWith` and `StringEndWith`: `StringLike` with a star is equivalent except for case, so they are tested
//!   with a tag in lower case.

use std::collections::BTreeMap;

use clew_iam::decision::{AccessDecision, Action, ActionResourceType, DenyReason};
use clew_iam::policy::{PermissionModel, Policy};
use iam_rs::{Arn, Context, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use serde_json::{Map, Value, json};

use crate::facts::{DOMAIN, Facts, INSTANCE};

/// Pairs in each half; two tests run in parallel.
const PAIRS: usize = 50_000;

/// Prefix of the domain id. AWS account ids have 12 digits, which are the rest of it.
const DOMAIN_PREFIX: &str = "ABCDEFGHIJKLMNOPQRST";

/// SplitMix64 generator: reproducible on every machine.
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn pick_some<'a>(&mut self, max: usize, from: &[&'a str]) -> Vec<&'a str> {
        (0..=self.below(max)).map(|_| self.pick(from)).collect()
    }

    /// Changes the case of some letters.
    fn change_case(&mut self, text: &str) -> String {
        let swap = self.one_in(3);
        let letter =
            |letter: char| if swap && letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter };
        text.chars().map(letter).collect()
    }
}

const TEXT: &[&str] =
    &["prod", "test", "Prod", "PROD-eu", "prod-eu", "dev", "p", "10", "9.5", "ada", "eu-1", "0", "", "a*b", "x?z"];
const LOWER: &[&str] = &["prod", "prod-eu", "prod-us", "test", "eu", "-eu", "p", "dev-eu-1"];
const PATTERNS: &[&str] = &["prod", "*", "p*", "*-eu", "?rod*", "*o*e*", "t??t", "**d", "10", "?", "a*b", "*1", "e?-?"];
const NUMBERS: &[&str] = &["10", "9.5", "-1", "0", "10.0", "100", "9"];
const DATES: &[&str] =
    &["2026-06-12T12:00:00Z", "2026-06-12T12:00:01Z", "2025-01-01T00:00:00Z", "2026-06-12T14:00:00+02:00"];
const NETWORKS: &[&str] =
    &["10.0.0.0/8", "10.1.2.3", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.9.9.9/16"];
const TAG_KEYS: &[&str] = &["env", "team", "Env", "low", "x"];
const TAG_PATTERNS: &[&str] = &["env", "e*", "*", "?eam", "T*", "x"];

/// Text operators of this crate, with the equivalent AWS operators.
const TEXT_OPERATORS: &[(&str, &str)] = &[
    ("StringEquals", "StringEquals"),
    ("StringNotEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringEqualsIgnoreCase"),
    ("StringNotEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringMatch", "StringLike"),
    ("StringNotMatch", "StringNotLike"),
];
const NUMBER_OPERATORS: &[&str] =
    &["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
const DATE_OPERATORS: &[&str] = &["LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
const TEXT_KEYS: &[&str] = &[
    "g:ResourceTag/env",
    "g:UserName",
    "g:EnterpriseProjectId",
    "g:RequestedRegion",
    "g:SourceVpc",
    "g:RequestTag/env",
];

/// A condition in both policy languages.
struct ConditionPair {
    operator: (String, String),
    key: String,
    values: (Value, Value),
}

fn same_values(values: &[&str]) -> (Value, Value) {
    (json!(values), json!(values))
}

fn condition(rng: &mut SplitMix64) -> ConditionPair {
    let if_exists = if rng.one_in(4) { "IfExists" } else { "" };
    let plain = |ours: &str, theirs: &str| (format!("{ours}{if_exists}"), format!("{theirs}{if_exists}"));
    let (operator, key, values) = match rng.below(9) {
        0 | 1 => {
            let (ours, theirs) = TEXT_OPERATORS[rng.below(TEXT_OPERATORS.len())];
            let values = rng.pick_some(3, if theirs.ends_with("Like") { PATTERNS } else { &TEXT[..TEXT.len() - 3] });
            (plain(ours, theirs), rng.pick(TEXT_KEYS), same_values(&values))
        }
        2 => {
            let (ours, theirs) = TEXT_OPERATORS[rng.below(TEXT_OPERATORS.len())];
            let quantifier = rng.pick(&["ForAnyValue:", "ForAllValues:"]);
            let values = rng.pick_some(3, if theirs.ends_with("Like") { TAG_PATTERNS } else { TAG_KEYS });
            ((format!("{quantifier}{ours}"), format!("{quantifier}{theirs}")), "g:TagKeys", same_values(&values))
        }
        3 => {
            let negated = rng.pick(&["", "Not"]);
            let (position, values) = (rng.pick(&["Start", "End"]), rng.pick_some(2, LOWER));
            let like = |value: &&str| if position == "Start" { format!("{value}*") } else { format!("*{value}") };
            let theirs: Vec<String> = values.iter().map(like).collect();
            let operator = plain(&format!("String{negated}{position}With"), &format!("String{negated}Like"));
            (operator, "g:ResourceTag/low", (json!(values), json!(theirs)))
        }
        4 => {
            let name = rng.pick(NUMBER_OPERATORS);
            let operator = plain(&format!("Number{name}"), &format!("Numeric{name}"));
            (operator, "g:ResourceTag/env", same_values(&rng.pick_some(2, NUMBERS)))
        }
        5 => {
            let name = format!("Date{}", rng.pick(DATE_OPERATORS));
            (plain(&name, &name), rng.pick(&["g:CurrentTime", "g:SourceVpc"]), same_values(&rng.pick_some(2, DATES)))
        }
        6 => {
            let truth = rng.one_in(2);
            (
                plain("Bool", "Bool"),
                rng.pick(&["g:SecureTransport", "g:MFAPresent"]),
                (json!([truth.to_string()]), json!(truth)),
            )
        }
        7 => {
            let name = rng.pick(&["IpAddress", "NotIpAddress"]);
            (plain(name, name), "g:SourceIp", same_values(&rng.pick_some(2, NETWORKS)))
        }
        _ => {
            let truth = rng.pick(&["true", "false"]);
            let key = rng.pick(&["g:ResourceTag/env", "g:TagKeys", "g:SourceIp", "g:MFAPresent", "g:UserName"]);
            (("Null".to_owned(), "Null".to_owned()), key, (json!(truth), json!(truth)))
        }
    };
    // Tag keys are case-sensitive; names of condition keys are not.
    let key = if key.contains('/') { key.to_owned() } else { rng.change_case(key) };
    ConditionPair { operator, key, values }
}

/// Conditions in both policy languages, without duplicate keys.
fn conditions(rng: &mut SplitMix64) -> (Value, Value) {
    let (mut ours, mut theirs) = (Map::new(), Map::new());
    for _ in 0..rng.below(4) {
        let ConditionPair { operator, key, values } = condition(rng);
        let is_taken = |map: &Map<String, Value>, operator: &String| {
            map.get(operator)
                .is_some_and(|keys| keys.as_object().unwrap().keys().any(|known| known.eq_ignore_ascii_case(&key)))
        };
        if !is_taken(&ours, &operator.0) && !is_taken(&theirs, &operator.1) {
            ours.entry(operator.0).or_insert_with(|| json!({}))[&key] = values.0;
            theirs.entry(operator.1).or_insert_with(|| json!({}))[&key] = values.1;
        }
    }
    (ours.into(), theirs.into())
}

fn action(rng: &mut SplitMix64, model: PermissionModel) -> String {
    let service = if model == PermissionModel::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let instance_actions: Vec<Action> =
        Action::ALL.iter().copied().filter(|action| action.target == ActionResourceType::Instance).collect();
    let name = match rng.below(8) {
        0..=2 => model.action_name(instance_actions[rng.below(instance_actions.len())]).to_owned(),
        3 => "*:*:*".to_owned(),
        4 => "ecs:*:*".to_owned(),
        5 if model == PermissionModel::IdentityBased => {
            format!("{service}:instance:{}", rng.pick(&["ge?", "?ist", "list?*", "???"]))
        }
        _ => format!(
            "{service}:{}",
            rng.pick(&["*:*", "instance:list*", "*:get*", "instance:*Processes", "*:*s*l*", "tag:*"])
        ),
    };
    match (rng.one_in(3), name.split_once(':')) {
        // Version 1.1 requires the service in lower case.
        (true, Some((service, rest))) => format!("{service}:{}", rng.change_case(rest)),
        _ => name,
    }
}

fn urn(rng: &mut SplitMix64, model: PermissionModel) -> String {
    let service = if model == PermissionModel::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let service = if rng.one_in(10) { "ecs" } else { service };
    let region = rng.pick(&["eu-1", "*", "*", "eu-*", "us-1", "??-1"]);
    let domain = match rng.below(5) {
        0 | 1 => DOMAIN.to_owned(),
        2 | 3 => "*".to_owned(),
        _ => format!("{DOMAIN_PREFIX}{}", rng.pick(&["1234*", "999999999999", "*12", "????56789012"])),
    };
    let kind = rng.pick(&["instance", "instance", "*", "inst*", "backup"]);
    let id = rng.pick(&[INSTANCE, "*", "d54b*", "*in07", "?54*1in07", "0*"]);
    format!("{service}:{region}:{domain}:{kind}:{id}")
}

/// A statement in both policy languages.
fn statement(rng: &mut SplitMix64, model: PermissionModel) -> (Value, Value) {
    let effect = if rng.one_in(4) { "Deny" } else { "Allow" };
    let actions: Vec<String> = (0..=rng.below(3)).map(|_| action(rng, model)).collect();
    let actions_element = if rng.one_in(6) { "NotAction" } else { "Action" };
    let mut ours = json!({"Effect": effect, actions_element: actions});
    let mut theirs = ours.clone();
    // AWS requires a resource. "*" is equivalent to a missing resource here.
    theirs["Resource"] = json!("*");
    if rng.one_in(2) {
        let urns: Vec<String> =
            (0..=rng.below(2)).map(|_| if rng.one_in(8) { "*".to_owned() } else { urn(rng, model) }).collect();
        let element = if rng.one_in(5) { "NotResource" } else { "Resource" };
        let arn = |urn: &String| {
            if urn == "*" { urn.clone() } else { format!("arn:aws:{}", urn.replace(DOMAIN_PREFIX, "")) }
        };
        theirs.as_object_mut().unwrap().remove("Resource");
        theirs[element] = urns.iter().map(arn).collect();
        ours[element] = json!(urns);
    }
    let conditions = conditions(rng);
    if conditions.0 != json!({}) {
        (ours["Condition"], theirs["Condition"]) = conditions;
    }
    (ours, theirs)
}

fn request(rng: &mut SplitMix64) -> Facts {
    let instance_actions: Vec<&Action> =
        Action::ALL.iter().filter(|action| action.target == ActionResourceType::Instance).collect();
    let mut tags = BTreeMap::new();
    if !rng.one_in(4) {
        tags.insert("env".to_owned(), rng.pick(TEXT).to_owned());
    }
    if !rng.one_in(4) {
        tags.insert("low".to_owned(), rng.pick(LOWER).to_owned());
    }
    let request_tags = (0..rng.below(3)).map(|_| (rng.pick(TAG_KEYS).to_owned(), rng.pick(TEXT).to_owned())).collect();
    Facts {
        action: instance_actions[rng.below(instance_actions.len())].name.to_owned(),
        user: rng.pick(&["ada", "bob", "prod-eu"]).to_owned(),
        region: rng.pick(&["eu-1", "eu-1", "us-1"]).to_owned(),
        enterprise_project: Some(rng.pick(&["0", "10", "prod"]).to_owned()),
        tags,
        request_tags,
        time: rng.pick(DATES).to_owned(),
        ip: [None, Some("10.1.2.3"), Some("192.0.2.9"), Some("2001:db8::1")][rng.below(4)].map(str::to_owned),
        tls: rng.one_in(2),
        ..Facts::default()
    }
}

/// Converts the request to the AWS format.
fn aws_request(facts: &Facts, model: PermissionModel) -> IAMRequest {
    let action = Action::find_action_by_name(&facts.action).unwrap();
    let name = model.action_name(action);
    let service = if model == PermissionModel::RoleBased { "gaussdb" } else { "gaussdbformysql" };
    let account = DOMAIN.replace(DOMAIN_PREFIX, "");
    let arn = format!("arn:aws:{service}:{}:{account}:instance:{INSTANCE}", facts.region);
    let mut context = Context::new()
        .with_string("g:UserName", &facts.user)
        .with_string("g:RequestedRegion", &facts.region)
        .with_string("g:CurrentTime", &facts.time)
        .with_boolean("g:SecureTransport", facts.tls);
    let single = [("g:SourceIp", &facts.ip), ("g:EnterpriseProjectId", &facts.enterprise_project)];
    for (key, value) in single {
        if let Some(value) = value {
            context = context.with_string(key, value);
        }
    }
    for (family, tags) in [("g:ResourceTag", &facts.tags), ("g:RequestTag", &facts.request_tags)] {
        for (key, value) in tags {
            // Of two tags that differ in case, this crate selects the exact match.
            if !(key == "Env" && tags.contains_key("env")) {
                context = context.with_string(format!("{family}/{key}"), value);
            }
        }
    }
    if !facts.request_tags.is_empty() {
        let keys = facts.request_tags.keys().cloned().collect();
        context.insert("g:TagKeys".to_owned(), ContextValue::StringList(keys));
    }
    let principal = Principal::Aws(PrincipalId::String(format!("arn:aws:iam::{account}:user/{}", facts.user)));
    IAMRequest::new_with_context(principal, name, Arn::parse(&arn).unwrap(), context)
}

#[test]
fn decisions_match_iam_rs_first_half() {
    compare_decisions(SplitMix64(0x00c1_e3ed));
}

#[test]
fn decisions_match_iam_rs_second_half() {
    compare_decisions(SplitMix64(0x001a_b341));
}

fn compare_decisions(mut rng: SplitMix64) {
    let mut outcomes = BTreeMap::new();
    for pair in 0..PAIRS {
        let model = if rng.one_in(3) { PermissionModel::RoleBased } else { PermissionModel::IdentityBased };
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..=rng.below(4)).map(|_| statement(&mut rng, model)).unzip();
        let version = if model == PermissionModel::RoleBased { "1.1" } else { "5.0" };
        let ours = json!({"Version": version, "Statement": ours});
        let theirs = json!({"Version": "2012-10-17", "Statement": theirs});
        let facts = request(&mut rng);

        let policy = Policy::parse(&ours.to_string()).unwrap_or_else(|errors| panic!("pair {pair}: {ours}: {errors}"));
        let decision = match facts.decide(&[policy]) {
            AccessDecision::Allow => iam_rs::Decision::Allow,
            AccessDecision::Deny { reason: DenyReason::ExplicitDeny { .. } } => iam_rs::Decision::Deny,
            AccessDecision::Deny { .. } => iam_rs::Decision::NotApplicable,
        };
        let their_policy: IAMPolicy = serde_json::from_value(theirs.clone()).unwrap();
        let evaluator = PolicyEvaluator::with_policies(vec![their_policy]);
        let expected = evaluator.evaluate(&aws_request(&facts, model)).unwrap().decision;
        assert_eq!(decision, expected, "pair {pair}\n{ours:#}\n{theirs:#}\n{facts:#?}");
        *outcomes.entry(decision.to_string()).or_insert(0) += 1;
    }
    // The comparison is only meaningful if all outcomes are frequent.
    assert!(outcomes.len() == 3 && outcomes.values().all(|count| *count > PAIRS / 20), "{outcomes:?}");
}
