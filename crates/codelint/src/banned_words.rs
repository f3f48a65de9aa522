//! Finds banned words in identifiers and prose and suggests standard terms to use instead.
//!
//! The prose check covers code comments, Markdown outside code blocks, API messages and web page text.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::Ident;
use syn::visit::{self, Visit};

struct BannedWord {
    word: &'static str,
    replacement: &'static str,
    scope: BannedWordScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BannedWordScope {
    Identifiers,
    Prose,
    Everywhere,
}

use BannedWordScope::{Everywhere, Identifiers, Prose};

const BANNED_WORDS: &[BannedWord] = &[
    banned_word("asked", "requested, queried, polled", Everywhere),
    banned_word("asks", "requests, queries, polls", Prose),
    banned_word("board", "feed, registry", Identifiers),
    banned_word("cure", "remedy, kill", Everywhere),
    banned_word("errand", "purpose", Everywhere),
    banned_word("founded", "initial ids", Everywhere),
    banned_word("hear", "listen, receive", Everywhere),
    banned_word("heard", "received", Everywhere),
    banned_word("hears", "listens, receives", Everywhere),
    banned_word("kept", "stored, retained", Identifiers),
    banned_word("look", "sample, poll, read", Identifiers),
    banned_word("looked", "sampled, polled, read", Identifiers),
    banned_word("meant", "expected, matching", Everywhere),
    banned_word("news", "update, event", Everywhere),
    banned_word("nobody", "anonymous, no user", Everywhere),
    banned_word("place", "slot, location, target", Identifiers),
    banned_word("said", "reported, logged", Everywhere),
    banned_word("say", "report, log", Identifiers),
    banned_word("says", "reports, logs", Everywhere),
    banned_word("seat", "subscription", Everywhere),
    banned_word("somebody", "a user, a client", Everywhere),
    banned_word("tell", "notify, report", Everywhere),
    banned_word("tells", "notifies, reports", Everywhere),
    banned_word("told", "notified, reported", Everywhere),
    banned_word("trouble", "error, outage", Everywhere),
    banned_word("who", "user, caller, actor", Identifiers),
    banned_word("whoever", "the component or user", Everywhere),
    banned_word("whom", "the component or user", Everywhere),
    banned_word("whose", "scope, owner", Identifiers),
];

const ALLOWED_PHRASES: &[&str] = &["in place", "look up", "looks up"];

const fn banned_word(word: &'static str, replacement: &'static str, scope: BannedWordScope) -> BannedWord {
    BannedWord { word, replacement, scope }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Rust,
    Markdown,
    Translations,
}

impl FileKind {
    pub(crate) fn of(file: &Path) -> Option<Self> {
        // This file lists the words.
        if file.ends_with("codelint/src/banned_words.rs") {
            return None;
        }
        match file.extension()?.to_str()? {
            "rs" => Some(Self::Rust),
            "md" => Some(Self::Markdown),
            "ftl" => Some(Self::Translations),
            "ts" if file.ends_with("i18n/en.ts") => Some(Self::Translations),
            _ => None,
        }
    }
}

pub(crate) fn find_banned_words(file: &Path, text: &str, kind: FileKind) -> Vec<String> {
    let mut findings = Vec::new();
    let mut report = |line: usize, scope: BannedWordScope, checked: &str| {
        let words = split_into_words(checked);
        for banned in BANNED_WORDS.iter().filter(|banned| banned.scope == Everywhere || banned.scope == scope) {
            if contains_banned_word(&words, banned.word) {
                let BannedWord { word, replacement, .. } = banned;
                findings.push(format!(
                    "{}:{line}: `{word}` in `{}`; use a term of the field, such as: {replacement}",
                    file.display(),
                    checked.trim()
                ));
            }
        }
    };
    match kind {
        FileKind::Rust => {
            for (number, line) in text.lines().enumerate() {
                if let Some(comment) = find_comment(line) {
                    report(number + 1, Prose, &remove_code_spans(comment));
                }
            }
            if let Ok(parsed) = syn::parse_file(text) {
                let mut names = DefinedNameCollector::default();
                names.visit_file(&parsed);
                for name in names.0 {
                    report(name.span().start().line, Identifiers, &name.to_string());
                }
            }
        }
        FileKind::Markdown => {
            let mut in_code_block = false;
            for (number, line) in text.lines().enumerate() {
                if line.trim_start().starts_with("```") {
                    in_code_block = !in_code_block;
                } else if !in_code_block {
                    report(number + 1, Prose, &remove_code_spans(line));
                }
            }
        }
        FileKind::Translations => {
            for (number, line) in text.lines().enumerate() {
                // Message keys and placeholders are identifiers, not prose.
                let value = line.split_once(['=', ':']).map_or(line, |(_, value)| value);
                report(number + 1, Prose, &remove_format_placeholders(value));
            }
        }
    }
    findings
}

/// A `//` inside a string or a URL does not start a comment.
fn find_comment(line: &str) -> Option<&str> {
    let (code, comment) = line.split_once("//")?;
    let in_string = code.matches('"').count() % 2 == 1;
    (!in_string && !code.ends_with(':')).then_some(comment)
}

fn remove_code_spans(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

fn remove_format_placeholders(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().filter(|&char| {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    outside.collect()
}

/// Also splits `snake_case` and `CamelCase` names.
fn split_into_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    for char in text.chars() {
        let continues = previous.is_alphanumeric() && !(previous.is_lowercase() && char.is_uppercase());
        if char.is_alphanumeric() {
            match words.last_mut().filter(|_| continues) {
                Some(word) => word.extend(char.to_lowercase()),
                None => words.push(char.to_lowercase().collect()),
            }
        }
        previous = char;
    }
    words
}

fn contains_banned_word(words: &[String], banned: &str) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let is_allowed = || {
            ALLOWED_PHRASES.iter().any(|phrase| {
                let phrase: Vec<&str> = phrase.split(' ').collect();
                (0..phrase.len()).any(|offset| {
                    let start = at.checked_sub(offset);
                    start.and_then(|start| words.get(start..start + phrase.len())).is_some_and(|found| found == phrase)
                })
            })
        };
        word == banned && !is_allowed()
    })
}

#[derive(Default)]
struct DefinedNameCollector(Vec<Ident>);

macro_rules! collect_identifier_of {
    ($($method:ident: $node:ident),+ $(,)?) => {
        $(fn $method(&mut self, node: &'ast syn::$node) {
            self.0.extend(Option::<Ident>::from(node.ident.clone()));
            visit::$method(self, node);
        })+
    };
}

impl<'ast> Visit<'ast> for DefinedNameCollector {
    collect_identifier_of! {
        visit_field: Field,
        visit_impl_item_const: ImplItemConst,
        visit_item_const: ItemConst,
        visit_item_enum: ItemEnum,
        visit_item_mod: ItemMod,
        visit_item_static: ItemStatic,
        visit_item_struct: ItemStruct,
        visit_item_trait: ItemTrait,
        visit_item_type: ItemType,
        visit_pat_ident: PatIdent,
        visit_signature: Signature,
        visit_variant: Variant,
    }

    /// The macro can define items from its arguments, so every identifier in the invocation counts as defined.
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        self.0.extend(item.ident.clone());
        collect_identifiers(item.mac.tokens.clone(), &mut self.0);
    }
}

fn collect_identifiers(tokens: TokenStream, identifiers: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            TokenTree::Ident(identifier) => identifiers.push(identifier),
            TokenTree::Group(group) => collect_identifiers(group.stream(), identifiers),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str, text: &str) -> Vec<String> {
        let file = Path::new(name);
        find_banned_words(file, text, FileKind::of(file).unwrap())
    }

    #[test]
    fn banned_names_are_found_where_they_are_defined() {
        for code in [
            "struct Place;",
            "fn tell_workers() {}",
            "const WHO_ARE_YOU: u8 = 0;",
            "fn f(asked: u8) {}",
            "fn f() { let was_told = 0; }",
            "struct S { whose: u8 }",
            "enum E { Seat }",
            "mod news {}",
            "named_enum! { pub enum E { Seat = \"seat\" } }",
        ] {
            assert_eq!(find("src/a.rs", code).len(), 1, "{code}");
        }
        for code in ["fn upgrade_in_place() {}", "fn look_up() {}", "fn f() { other.place(); }", "struct Placeholder;"]
        {
            assert_eq!(find("src/a.rs", code), [""; 0], "{code}");
        }
    }

    #[test]
    fn banned_words_are_found_in_comments_but_not_in_code_spans() {
        let found = find("src/a.rs", "fn f() {}\n/// Nobody is told.\nstruct A;");
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("src/a.rs:2: `nobody`"), "{}", found[0]);
        assert_eq!(find("src/a.rs", "/// The column `nobody`.\nstruct A; // see https://told.example").len(), 1);
        assert_eq!(find("src/a.rs", "const A: &str = \"http://nobody\";"), [""; 0]);
    }

    #[test]
    fn banned_words_are_found_in_markdown_and_messages() {
        assert_eq!(find("README.md", "The server says no.\n```\nnobody\n```\n`told`").len(), 1);
        assert_eq!(find("messages/en-us.ftl", "told = { $told } failed\nkey = Whoever calls\n").len(), 1);
    }
}
