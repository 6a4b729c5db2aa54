//! Each kind's page lists, condition by condition, every reason that the condition can have, and no other.

use std::collections::{BTreeMap, BTreeSet};

use waba_operator::{
    kinds::reasons,
    messages::{OF_NOTICES, Reason, Reasons},
};

use crate::page::{Page, all, first_column, pages};

/// These repeat Ready's reason and message, and have no table of their own.
const MARKERS: [&str; 3] = ["Reconciling", "Stalled", "Suspended"];

/// The kinds with their pages.
const PAGES: [(&str, &str); 3] = [
    ("docs/metaapp.md", "MetaApp"),
    ("docs/whatsappnumber.md", "WhatsAppNumber"),
    ("docs/messagetemplate.md", "MessageTemplate"),
];

fn declared(reasons: Reasons) -> BTreeMap<String, BTreeSet<String>> {
    let words = |reasons: &[Reason]| reasons.iter().map(ToString::to_string).collect();
    reasons.iter().map(|(condition, reasons)| ((*condition).to_owned(), words(reasons))).collect()
}

/// What a page says: below each heading of a condition, or of several that share a table, the reasons of that table.
fn documented(page: &Page) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for part in page.section("Conditions").split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        let reasons = first_column(text, "Reason");
        for condition in all("`([^`]+)`", heading) {
            if MARKERS.contains(&&*condition) {
                assert_eq!(reasons, BTreeSet::new(), "{}: {condition} has Ready's reason", page.name());
            } else {
                found.insert(condition, reasons.clone());
            }
        }
    }
    found
}

#[test]
fn reasons_of_each_condition() {
    for (page, kind) in PAGES {
        let (documented, declared) = (documented(&Page::read(page)), declared(reasons(kind)));
        let conditions = |of: &BTreeMap<String, BTreeSet<String>>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(conditions(&documented), conditions(&declared), "{page}");
        for (condition, reasons) in &declared {
            let documented = &documented[condition];
            let (missing, wrong): (Vec<_>, Vec<_>) =
                (reasons.difference(documented).collect(), documented.difference(reasons).collect());
            assert!(missing.is_empty(), "{page}: the table of {condition} lacks {missing:?}");
            assert!(wrong.is_empty(), "{page}: {condition} never has {wrong:?}");
        }
    }
}

/// Every reason is used by some condition, and a page names no reason outside these tables.
#[test]
fn reasons_belong_to_conditions() {
    let in_conditions = Reason::ALL.iter().filter(|reason| !OF_NOTICES.contains(reason));
    let all_reasons: BTreeSet<_> = in_conditions.map(ToString::to_string).collect();
    let in_code: BTreeSet<_> =
        PAGES.iter().flat_map(|(_, kind)| declared(reasons(kind))).flat_map(|(_, r)| r).collect();
    assert_eq!(in_code, all_reasons);
    let in_tables: BTreeSet<_> = pages().iter().flat_map(|page| page.table("Reason")).collect();
    assert_eq!(in_tables, all_reasons);
}

#[test]
fn reasons_of_notices_are_events() {
    let documented = Page::read("docs/operations.md").table("Event");
    for reason in OF_NOTICES {
        assert!(documented.contains(reason.as_str()), "docs/operations.md lacks Event {reason}");
    }
}
