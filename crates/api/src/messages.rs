//! English and Chinese messages, loaded from the Fluent files in `messages/`.

use std::sync::LazyLock;

use clew_model::{Failure, Language, LocalizedText};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::langid;

type Bundle = FluentBundle<FluentResource>;

static ENGLISH_MESSAGE_BUNDLE: LazyLock<Bundle> =
    LazyLock::new(|| load_message_bundle(langid!("en-US"), include_str!("../messages/en-us.ftl")));
static CHINESE_MESSAGE_BUNDLE: LazyLock<Bundle> =
    LazyLock::new(|| load_message_bundle(langid!("zh-CN"), include_str!("../messages/zh-cn.ftl")));

pub(crate) fn format_message(language: Language, id: &str, variables: &[(&str, String)]) -> String {
    let bundle = match language {
        Language::EnUs => &*ENGLISH_MESSAGE_BUNDLE,
        Language::ZhCn => &*CHINESE_MESSAGE_BUNDLE,
    };
    let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
    let arguments: FluentArgs<'_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
}

pub(crate) fn format_failure(language: Language, failure: &Failure) -> String {
    format_message(language, &format!("failure-{}", failure.kind.name()), &[("detail", failure.detail.clone())])
}

pub(crate) fn localize_failure(failure: &Failure) -> LocalizedText {
    LocalizedText::new(format_failure(Language::EnUs, failure), format_failure(Language::ZhCn, failure))
}

fn load_message_bundle(language: unic_langid::LanguageIdentifier, text: &str) -> Bundle {
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // Unicode isolation marks would appear in JSON. Both languages are written left to right and do not need them.
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use clew_model::{API_ERRORS, FailureKind};

    use super::*;

    fn ids(text: &str) -> BTreeSet<&str> {
        text.lines()
            .filter(|line| !line.starts_with([' ', '#']))
            .filter_map(|line| line.split_once(" = "))
            .map(|(id, _)| id)
            .collect()
    }

    const FILES: [&str; 2] = [include_str!("../messages/en-us.ftl"), include_str!("../messages/zh-cn.ftl")];

    #[test]
    fn catalogs_are_valid_and_have_the_same_ids() {
        for text in FILES {
            FluentResource::try_new(text.to_owned()).unwrap();
        }
        assert_eq!(ids(FILES[0]), ids(FILES[1]));
    }

    #[test]
    fn errors_and_failures_have_messages_in_both_languages() {
        for text in FILES {
            let ids = ids(text);
            for error in API_ERRORS {
                assert!(ids.contains(error.message_id), "{}", error.message_id);
            }
            for kind in FailureKind::ALL {
                assert!(ids.contains(&*format!("failure-{}", kind.name())), "{}", kind.name());
            }
        }
    }

    #[test]
    fn every_message_is_used() {
        fn sources(folder: &Path, text: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, text);
                } else {
                    text.push_str(&fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        for id in ids(FILES[0]) {
            let is_error = API_ERRORS.iter().any(|error| error.message_id == id);
            let is_failure = FailureKind::ALL.iter().any(|kind| id == format!("failure-{}", kind.name()));
            assert!(is_error || is_failure || text.contains(&format!("\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn messages_have_the_same_variables_in_both_languages() {
        let variables = |text: &'static str| -> BTreeSet<(&str, &str)> {
            let messages = text.lines().filter_map(|line| line.split_once(" = "));
            messages
                .flat_map(|(id, message)| {
                    message.split("{ $").skip(1).map(move |rest| (id, rest.split(" }").next().unwrap_or_default()))
                })
                .collect()
        };
        assert_eq!(variables(FILES[0]), variables(FILES[1]));
        assert!(variables(FILES[0]).contains(&("parameter-range", "max")));
    }

    #[test]
    fn variables_are_substituted_without_isolation_marks() {
        let text = format_message(Language::ZhCn, "parameter-unknown-field", &[("field", "fliter".into())]);
        assert!(text.contains("fliter") && !text.contains('\u{2068}'), "{text}");
    }
}
