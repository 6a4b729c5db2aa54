//! A table lists everything of its sort that the code has, and nothing else.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;
use serde::de::DeserializeOwned;
use waba_operator::{
    api::{
        Kind, ManagedStatus, MessageTemplate, MetaApp, MetaAppPhase, NumberPhase, TemplatePhase, WhatsAppNumber, crds,
        unsupported::{self, Later},
    },
    messages::Reason,
};

use crate::page::{Page, all, exposition, kind_source, root, source_where};

fn set<S: ToString>(words: impl IntoIterator<Item = S>) -> BTreeSet<String> {
    words.into_iter().map(|word| word.to_string()).collect()
}

fn actions<K: Kind>() -> BTreeSet<String> {
    set(K::Status::ACTIONS)
}

#[test]
fn phases() {
    for (page, phases) in [
        ("docs/metaapp.md", set(MetaAppPhase::KNOWN)),
        ("docs/whatsappnumber.md", set(NumberPhase::KNOWN)),
        ("docs/messagetemplate.md", set(TemplatePhase::KNOWN)),
    ] {
        assert_eq!(Page::read(page).table("Phase"), phases, "{page}");
    }
}

#[test]
fn actions_of_each_kind() {
    for (page, actions) in [
        ("docs/metaapp.md", actions::<MetaApp>()),
        ("docs/whatsappnumber.md", actions::<WhatsAppNumber>()),
        ("docs/messagetemplate.md", actions::<MessageTemplate>()),
    ] {
        assert_eq!(Page::read(page).table("Action"), actions, "{page}");
    }
}

/// The conditions that a kind's code and definition name.
fn conditions<S>(plural: &str, folder: &str, later: &[&'static Later<S>]) -> BTreeSet<String> {
    let crd = crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let listed = &schema["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]["description"];
    let in_code = all(r#"const [A-Z_]+: &str = "([A-Z][A-Za-z]+)";"#, &kind_source(folder));
    let listed = all("([A-Z][A-Za-z]+)", listed.as_str().unwrap());
    listed.into_iter().chain(in_code).chain(later.iter().map(|entry| entry.condition.to_owned())).collect()
}

/// An example that asks for everything.
fn example<K: DeserializeOwned>(name: &str) -> K {
    let path = root().join("tests/crds/good").join(name);
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn conditions_of_each_kind() {
    let app = example::<MetaApp>("metaapp-everything.yaml").spec;
    let template = example::<MessageTemplate>("template-named.yaml").spec;
    for (page, conditions) in [
        ("docs/metaapp.md", conditions("metaapps", "meta_app", &unsupported::meta_app(&app))),
        ("docs/whatsappnumber.md", conditions::<WhatsAppNumber>("whatsappnumbers", "whatsapp_number", &[])),
        (
            "docs/messagetemplate.md",
            conditions("messagetemplates", "message_template", &unsupported::message_template(&template)),
        ),
    ] {
        let page = Page::read(page);
        let headings = page.section("Conditions").lines().filter(|line| line.starts_with("### "));
        let documented: BTreeSet<_> = headings.flat_map(|heading| all("`([^`]+)`", heading)).collect();
        assert_eq!(documented, conditions, "{}", page.name());
    }
}

/// The kind's page and the README list every field that this version does not act on.
#[test]
fn what_is_not_acted_on() {
    fn check<S>(page: &str, later: &[&'static Later<S>]) {
        for page in [Page::read("README.md"), Page::read(page)] {
            let code = page.code();
            for entry in later {
                let is_listed = code.iter().any(|code| code.split(':').next() == Some(entry.path));
                assert!(is_listed, "{} does not list {}, which is not acted on", page.name(), entry.path);
            }
        }
    }
    check("docs/metaapp.md", &unsupported::meta_app(&example::<MetaApp>("metaapp-everything.yaml").spec));
    let template = example::<MessageTemplate>("template-named.yaml").spec;
    check("docs/messagetemplate.md", &unsupported::message_template(&template));

    let readme = Page::read("README.md");
    let section = readme.section("What it does not do yet");
    assert_eq!(set(all("`(waba.dev/[a-z-]+)`", section)), set(unsupported::ACTIONS));
}

#[test]
fn metrics() {
    let exposition = exposition();
    let exposed = all(r"(?m)^# TYPE ([a-z_]+) ", &exposition).into_iter().map(|name| {
        let is_counter = exposition.contains(&format!("# TYPE {name} counter"));
        if is_counter { name + "_total" } else { name }
    });
    let page = Page::read("docs/operations.md");
    assert_eq!(page.table("Metric"), exposed.collect::<BTreeSet<_>>());
    let brackets = Regex::new(r"\([^)]*\)").unwrap();
    for line in page.section("Metrics").lines().filter(|line| line.starts_with("| `waba_")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let sample = exposition.lines().find(|line| line.starts_with(name)).unwrap();
        let labels = set(all(r#"[{,]([a-z]+)=""#, sample));
        // Values are in brackets.
        let documented = set(all("`([a-z]+)`", &brackets.replace_all(cells[3], "")));
        assert_eq!(documented, labels, "{name}");
        let kind = format!("# TYPE {} {}", name.trim_end_matches("_total"), cells[2]);
        assert!(exposition.contains(&kind), "{name} is no {}", cells[2]);
    }
}

#[test]
fn flags() {
    let help = Command::new(env!("CARGO_BIN_EXE_waba-operator")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: BTreeSet<_> =
        all(r"(?m)^\s+(?:-h, )?(--[a-z-]+)", &help).into_iter().filter(|flag| flag != "--help").collect();
    let page = Page::read("docs/operations.md");
    assert!(!flags.is_empty());
    assert_eq!(page.table("Flag"), flags);
    for line in page.section("Flags").lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (variable, default) = (cells[2].trim_matches('`'), cells[3].trim_matches('`'));
        let entry =
            help.split("\n      --").find(|entry| entry.contains(&format!("[env: {variable}="))).expect(variable);
        assert!(cells[1].trim_matches('`').ends_with(entry.split([' ', '\n']).next().unwrap()), "{line}");
        if let Some(real) = all(r"\[default: ([^\]]+)\]", entry).first() {
            assert_eq!(real, default, "{line}");
        }
    }
}

#[test]
fn events() {
    let source = source_where(|_, text| text.contains("EventType"));
    let documented = Page::read("docs/operations.md").table("Event");
    assert!(!documented.is_empty());
    for event in documented {
        // Notices have reasons of the closed list.
        let is_reason = Reason::named(&event).is_some();
        assert!(is_reason || source.contains(&format!("\"{event}\"")), "the operator never publishes Event {event}");
    }
}
