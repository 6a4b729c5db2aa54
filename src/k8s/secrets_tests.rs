//! Reads of Secrets, and the messages of those that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn secret(data: &[(&str, &[u8])]) -> Secret {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())));
    Secret { data: Some(data.collect()), ..Secret::default() }
}

#[test]
fn white_space_around_a_value_is_no_part_of_it() {
    for bytes in ["value", "value\n", "value\r\n", " value \n\n"] {
        let read = text_under(&secret(&[("key", bytes.as_bytes())]), "key").unwrap();
        assert_eq!(read.value.expose_secret(), "value", "{bytes:?}");
    }
}

#[test]
fn each_problem_says_what_to_do() {
    let many: Vec<String> = (10..25).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|key| (key.as_str(), b"v".as_slice())).collect();
    for (secret, expected) in [
        (secret(&[("b", b"v"), ("a", b"v")]), "has no key key (it has a, b): add it"),
        (secret(&[]), "has no key key (it is empty)"),
        (secret(&many), "k18, k19 and 5 more)"),
        (Secret::default(), "(it is empty)"),
        (secret(&[("key", b" \n")]), "has nothing under the key key"),
        (secret(&[("key", b"\xff\xfe")]), "needs a single line of UTF-8 text under the key key"),
        (secret(&[("key", b"two\nlines")]), "needs a single line of UTF-8 text under the key key"),
        (secret(&[("key", b"nul\0")]), "needs a single line of UTF-8 text under the key key"),
    ] {
        let error = text_under(&secret, "key").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn each_problem_of_a_person_names_a_command() {
    let create = "create secret generic pins --from-literal=a.b=YOUR_VALUE";
    let set = r#"patch secret pins --type merge -p '{"stringData":{"a.b":"YOUR_VALUE"}}'"#;
    let key = || "a.b".to_owned();
    for (problem, expected) in [
        (Unusable::Missing { key: key() }, create),
        (Unusable::KeyMissing { key: key(), present: Vec::new() }, set),
        (Unusable::Empty { key: key() }, set),
        (Unusable::NotText { key: key() }, set),
    ] {
        let problem = SecretProblem { namespace: "ns".to_owned(), name: "pins".to_owned(), foreign: false, problem };
        assert!(problem.to_string().ends_with(&format!(": \nkubectl -n ns {expected}\n")), "{problem}");
    }
    let forbidden = kube::core::Status::failure("no right", "Forbidden").with_code(403).boxed();
    let forbidden = OwnedProblem::Api("ns/pins".to_owned(), ApiError::Kube(kube::Error::Api(forbidden))).to_string();
    assert!(
        forbidden.ends_with(
            "Check the operator's rights and the namespace's quotas: \nkubectl -n ns get rolebindings,resourcequotas\n"
        ),
        "{forbidden}"
    );
    let silent = OwnedProblem::Api("ns/pins".to_owned(), ApiError::Timeout(std::time::Duration::from_secs(30)));
    assert!(!silent.to_string().contains("kubectl"), "it passes by itself: {silent}");
    let taken = OwnedProblem::Taken("ns/pins".to_owned()).to_string();
    assert!(taken.ends_with("rename or delete it: \nkubectl -n ns delete secret pins\n"), "{taken}");
}

#[test]
fn no_debug_output_shows_a_value() {
    let mut owned = OwnedSecret::new("ns", "name", None);
    owned.set("live", &"EAAtoken".into());
    let read = text_under(&secret(&[("key", b"EAAtoken")]), "key").unwrap();
    let shown = format!("{owned:?} {read:?}");
    assert!(shown.contains("live") && !shown.contains("EAAtoken"), "{shown}");
}

#[test]
fn an_owned_secret_is_edited_in_memory() {
    let mut owned = OwnedSecret::new("ns", "name", Some("servicebinding.io/whatsapp"));
    owned.set("live", &"one".into());
    owned.set("live", &"two".into());
    owned.annotate("a", Some("b"));
    assert_eq!(owned.get("live").unwrap().expose_secret(), "two");
    assert_eq!((owned.annotation("a"), owned.resource_version()), (Some("b"), None));
    owned.unset("live");
    owned.annotate("a", None);
    assert!(owned.get("live").is_none() && owned.annotation("a").is_none() && is_ours(&owned.0));
}
