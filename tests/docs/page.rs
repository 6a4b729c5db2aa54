//! A page of Markdown, as far as the tests read it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use regex::Regex;
use waba_operator::telemetry::{
    Metrics, NumberSeries, ObjectCounts, ObjectLabels, ObjectSeries, Outcome, PaymentSeries, UsageLabels,
};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

impl Page {
    pub fn read(path: &str) -> Self {
        let path = root().join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    pub fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// The text without its blocks of code.
    pub fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// The code within sentences and tables.
    pub fn code(&self) -> Vec<String> {
        all("`([^`\n]+)`", &self.prose())
    }

    /// Everything between one heading of the second level and the next.
    pub fn section(&self, heading: &str) -> &str {
        let start = format!("\n## {heading}\n");
        let (_, rest) = self.text.split_once(&start).unwrap_or_else(|| panic!("{} lacks {start:?}", self.name()));
        rest.split("\n## ").next().unwrap()
    }

    /// The code in the first column of all tables whose head begins with this word.
    pub fn table(&self, head: &str) -> BTreeSet<String> {
        first_column(&self.text, head)
    }

    /// The names that links within pages use for the headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let headings = self.text.lines().filter(|line| line.starts_with('#'));
        let anchor = |heading: &str| -> String {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        headings.map(anchor).collect()
    }
}

/// The code in the first column of all tables of a text whose head begins with this word.
pub fn first_column(text: &str, head: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        inside = line.starts_with(&format!("| {head} |")) || (inside && line.starts_with('|'));
        if inside {
            found.extend(all("`([^`]+)`", line.split('|').nth(1).unwrap_or_default()));
        }
    }
    found
}

/// README, every page of `docs/`, and that of `examples/gitops`.
pub fn pages() -> Vec<Page> {
    let mut names: Vec<String> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names.push("examples/gitops/README.md".to_owned());
    names.iter().map(|name| Page::read(name)).collect()
}

/// The first group of every match.
pub fn all(pattern: &str, text: &str) -> Vec<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The Rust files of `src/` that fit, as one text; tests are left out. The first argument is a file's path, the second its text.
pub fn source_where(fits: impl Fn(&str, &str) -> bool) -> String {
    fn collect(path: &Path, found: &mut Vec<(String, String)>) {
        if path.is_dir() {
            let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            for entry in &entries {
                collect(entry, found);
            }
        } else {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            if !name.contains("test") {
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    let text: String = found.into_iter().filter(|(name, text)| fits(name, text)).map(|(_, text)| text).collect();
    assert!(!text.is_empty(), "no file of src/ fits");
    text
}

/// Every Rust file of `src/`.
pub fn source() -> String {
    source_where(|_, _| true)
}

/// The files of one kind, its types included.
pub fn kind_source(kind: &str) -> String {
    source_where(|name, _| name.contains(&format!("/{kind}/")))
}

/// The exposition with at least one sample of every metric: what has none is left out of it.
pub fn exposition() -> String {
    let metrics = Metrics::new();
    metrics.reconciled("MetaApp", Outcome::Unchanged, Duration::ZERO);
    metrics.called("account", "ok", Duration::ZERO);
    metrics.left_out("account", 1);
    metrics.budgets([("1", "2", 100.0)].into_iter());
    metrics.read_ages([("meta/ino-cx".to_owned(), Box::from("2"), Duration::from_secs(1))].into_iter());
    let counts = ObjectCounts {
        phases: [("Connected".to_owned(), 1)].into(),
        stalled: [("Conflict", 1)].into(),
        sendable: Some(1),
        ..ObjectCounts::default()
    };
    metrics.objects("MetaApp", &counts);
    metrics.numbers_at_meta(&[("CONNECTED".to_owned(), 1)].into());
    let labels = ObjectLabels {
        kind: "MetaApp",
        namespace: "meta".to_owned(),
        name: "ino-cx".to_owned(),
        app: "meta/ino-cx".to_owned(),
        reason: "Connected",
    };
    metrics.show_objects(move || vec![ObjectSeries { ready: true, labels: labels.clone() }]);
    metrics.token_expires("meta", "ino-cx", Some(Timestamp::UNIX_EPOCH));
    metrics.app_conditions("meta", "ino-cx", [("TokenValid", "True", "Valid")].into_iter());
    metrics.noticed("MetaApp", "TokenRejected");
    let labels = UsageLabels { app: "meta/ino-cx".to_owned(), account: "2".to_owned(), number: "336".to_owned() };
    let number = NumberSeries { labels, service: 1, messages: 1, cost: Some((0.5, "EUR".to_owned())) };
    let account = PaymentSeries { app: "meta/ino-cx".to_owned(), account: "2".to_owned(), funded: true };
    metrics.usage().set(&[account], &[number]);
    metrics.written("secrets", "create");
    let exposition = metrics.encode();
    let registered = all(
        r"(r\.register)",
        &source_where(|name, _| name.ends_with("/metrics.rs") || name.ends_with("/usage_series.rs")),
    )
    .len();
    assert_eq!(all("(# TYPE)", &exposition).len(), registered, "a metric has no sample here:\n{exposition}");
    exposition
}
