//! Every file, field, annotation, variable, metric and target that the text names exists.

use std::{collections::BTreeSet, fs};

use waba_operator::api::crds;

use crate::{
    fields::paths,
    page::{Page, all, exposition, pages, root, source},
};

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for page in pages().into_iter().chain(std::iter::once(Page::read("CONTRIBUTING.md"))) {
        for link in all(r"\]\(([^)]+)\)", &page.prose()) {
            if link.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { page.path.clone() } else { page.path.with_file_name("").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.name());
            if let Some(anchor) = anchor {
                let target = Page { text: fs::read_to_string(&target).unwrap(), path: target };
                assert!(target.anchors().contains(anchor), "{}: {link}: there is no such heading", page.name());
            }
        }
    }
    assert!(links > 20, "only {links} links were found");
}

/// `src/…` and `tests/…` in CONTRIBUTING are files or folders; `<kind>` stands for each kind.
#[test]
fn files_that_contributors_are_sent_to_exist() {
    let mut files = 0;
    for code in Page::read("CONTRIBUTING.md").code() {
        // A kind's own tests are named from its folder.
        for file in
            all(r"^((?:src|tests/(?:crds|docs|graph|control|operator)|docs|scripts|benches)[\w-]*/[\w./<>-]*)$", &code)
        {
            let kinds: &[&str] = if file.contains("/kinds/<kind>") {
                &["meta_app", "whatsapp_number", "message_template"]
            } else {
                &["whatsapp_number"]
            };
            for kind in kinds {
                files += 1;
                let path = root().join(file.replace("<kind>", kind));
                assert!(path.exists(), "CONTRIBUTING.md names {file}, and there is no {}", path.display());
            }
        }
    }
    assert!(files > 30, "only {files} files were found");
}

/// `spec.…` and `status.…` in a sentence are fields of a kind.
#[test]
fn fields_exist() {
    let all_paths: BTreeSet<_> = crds().iter().flat_map(paths).map(|path| path.replace("[]", "")).collect();
    for page in pages() {
        for code in page.code() {
            for path in all(r"\b((?:spec|status)\.[A-Za-z.]+[A-Za-z])", &code) {
                assert!(all_paths.contains(&path), "{}: {path} is no field of any kind", page.name());
            }
        }
    }
}

#[test]
fn annotations_and_labels_exist() {
    let known: BTreeSet<_> = all(r#""(waba\.dev/[a-z-]+)""#, &source()).into_iter().collect();
    for page in pages() {
        for name in all(r"(?:^|[^.\w])(waba\.dev/[a-z][a-z0-9-]*[a-z0-9])", &page.text) {
            assert!(known.contains(&name) || name == "waba.dev/v1alpha1", "{}: nobody reads {name}", page.name());
        }
    }
}

#[test]
fn variables_exist() {
    let source = source();
    for page in pages() {
        for name in all(r"\b(WABA_[A-Z_]+)\b", &page.text) {
            assert!(source.contains(&format!("\"{name}\"")), "{}: nobody reads {name}", page.name());
        }
    }
}

#[test]
fn metrics_exist() {
    let exposition = exposition();
    for page in pages() {
        for name in all(r"\b(waba_[a-z_]+)\b", &page.text) {
            // The crate's name, as log filters have it.
            if name == "waba_operator" {
                continue;
            }
            let family = name.trim_end_matches("_total");
            let exists = exposition.contains(&format!("# TYPE {family} "));
            assert!(exists, "{}: there is no metric {name}", page.name());
        }
    }
}

#[test]
fn targets_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut found = 0;
    for page in pages() {
        for target in all(r"(?:`|\$ )make ([a-z-]+)", &page.text) {
            found += 1;
            assert!(makefile.contains(&format!("\n{target}:")), "{}: there is no make {target}", page.name());
        }
    }
    assert!(found > 3, "only {found} targets were found");
}

/// A command of a page can be pasted: it says in which namespace, and a value to be replaced says so (`YOUR_CODE`).
#[test]
fn commands_are_complete() {
    const OF_THE_CLUSTER: [&str; 4] = [" namespace ", " crd", " -f ", " config "];
    let mut commands = 0;
    for page in pages().into_iter().filter(|page| page.name() != "README.md") {
        for block in all(r"(?s)```sh\n(.*?)```", &page.text) {
            for command in block.replace("\\\n", "").split(['\n', '|']).map(str::trim) {
                assert!(!command.contains("=123456"), "{}: write YOUR_CODE or YOUR_PIN: {command}", page.name());
                let open = all("(<[a-z][a-z -]*>)", command);
                assert!(open.is_empty(), "{}: write YOUR_… for {open:?}: {command}", page.name());
                if !command.starts_with("kubectl ") {
                    continue;
                }
                commands += 1;
                let placed = [" -n ", "--namespace ", "--all-namespaces", "--dry-run=client"];
                let complete = placed.iter().chain(&OF_THE_CLUSTER).any(|word| command.contains(word));
                assert!(complete, "{}: name the namespace: {command}", page.name());
            }
        }
    }
    assert!(commands > 20, "{commands} commands");
}
