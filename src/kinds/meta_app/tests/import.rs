//! What an import takes, and what it leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{ExcludedTemplate, Import, MetaAppSpec},
    graph::{AccountRead, LeftOut},
};

const ONE: &str = "102290129340398";
const TWO: &str = "202290129340398";
const DIGITS: u64 = 33_612_345_678;

fn claim(name: &str, language: &str) -> TemplateClaim {
    TemplateClaim { account: ONE.into(), key: TemplateKey { name: name.into(), language: language.into() } }
}

/// Who claims what already.
#[derive(Default)]
struct Taken {
    numbers: Vec<NumberClaim>,
    /// By objects that name an account.
    named: Vec<(NumberClaim, &'static str)>,
    templates: Vec<TemplateClaim>,
}

impl Claims for Taken {
    fn number(&self, claim: NumberClaim, lists: &dyn Fn(&str) -> bool) -> bool {
        self.numbers.contains(&claim) || self.named.iter().any(|(named, account)| *named == claim && lists(account))
    }

    fn template(&self, claim: &TemplateClaim) -> bool {
        self.templates.contains(claim)
    }
}

/// An app that imports everything.
fn app() -> MetaApp {
    let import = Import { numbers: Some(ImportNumbers::default()), templates: Some(ImportTemplates::default()) };
    let mut app = MetaApp::new("ino-cx", MetaAppSpec { import: Some(import), ..MetaAppSpec::default() });
    app.metadata.namespace = Some("meta".to_owned());
    app.metadata.labels = Some([("team".to_owned(), "platform".to_owned())].into());
    app
}

fn number(digits: u64, status: &str) -> Value {
    json!({"id": digits.to_string(), "display_phone_number": format!("+{digits}"), "status": status})
}

fn template(name: &str, language: &str, source: &str) -> Value {
    json!({"id": "7", "name": name, "language": language, "status": "APPROVED", "source": source})
}

fn snapshot(account: &str, numbers: &[Value], templates: &[Value]) -> Snapshot {
    let of = |values: &[Value]| Value::from(values.to_vec());
    let read = AccountRead {
        account: serde_json::from_value(json!({"id": account})).unwrap(),
        numbers: serde_json::from_value(of(numbers)).unwrap(),
        templates: serde_json::from_value(of(templates)).unwrap(),
        left_out: LeftOut::default(),
        started: Instant::now(),
    };
    Snapshot::new(read, None)
}

/// What is imported of one account: digits, and `name language` of templates.
fn taken(app: &MetaApp, numbers: &[Value], templates: &[Value], claims: &Taken) -> (Vec<u64>, Vec<String>) {
    let snapshot = snapshot(ONE, numbers, templates);
    let wanted = missing(app, std::iter::once((ONE, &snapshot)), claims, &Created::default(), Instant::now());
    let name = |claim: &TemplateClaim| format!("{} {}", claim.key.name, claim.key.language);
    (wanted.numbers.iter().map(|(_, digits)| *digits).collect(), wanted.templates.iter().map(name).collect())
}

#[test]
fn which_numbers_are_taken() {
    /// Why, which numbers there are, what the app and others say, and which are taken.
    type Case = (&'static str, u64, &'static str, fn(&mut MetaApp, &mut Taken), bool);
    fn leave_out(app: &mut MetaApp, number: &str) {
        app.spec.import.as_mut().unwrap().numbers.as_mut().unwrap().exclude = vec![number.to_owned()];
    }
    let mexican = 5_215_512_345_678;
    let cases: &[Case] = &[
        ("nobody has it", DIGITS, "CONNECTED", |_, _| {}, true),
        ("in any state", DIGITS, "BANNED", |_, _| {}, true),
        ("in a state of tomorrow", DIGITS, "LINKED", |_, _| {}, true),
        ("moved away", DIGITS, "MIGRATED", |_, _| {}, false),
        ("deleted", DIGITS, "DELETED", |_, _| {}, false),
        ("left out", DIGITS, "CONNECTED", |app, _| leave_out(app, "+33612345678"), false),
        ("another is left out", DIGITS, "CONNECTED", |app, _| leave_out(app, "+33612345679"), true),
        ("left out in another spelling", mexican, "CONNECTED", |app, _| leave_out(app, "+525512345678"), false),
        ("somebody has it", DIGITS, "CONNECTED", |_, taken| taken.numbers = vec![NumberClaim::of(DIGITS)], false),
        (
            "somebody has it through its account",
            DIGITS,
            "CONNECTED",
            |_, taken| taken.named = vec![(NumberClaim::of(DIGITS), ONE)],
            false,
        ),
        (
            "somebody looks for it in another account",
            DIGITS,
            "CONNECTED",
            |_, taken| taken.named = vec![(NumberClaim::of(DIGITS), TWO)],
            true,
        ),
        (
            "somebody has it in another spelling",
            mexican,
            "CONNECTED",
            |_, taken| taken.numbers = vec![NumberClaim::of(525_512_345_678)],
            false,
        ),
        (
            "nobody asks for numbers",
            DIGITS,
            "CONNECTED",
            |app, _| app.spec.import.as_mut().unwrap().numbers = None,
            false,
        ),
        ("nobody asks for an import", DIGITS, "CONNECTED", |app, _| app.spec.import = None, false),
    ];
    for (reason, digits, status, change, expected) in cases {
        let (mut app, mut claims) = (app(), Taken::default());
        change(&mut app, &mut claims);
        let (numbers, _) = taken(&app, &[number(*digits, status)], &[], &claims);
        assert_eq!(numbers == [*digits], *expected, "{reason}");
    }
}

#[test]
fn which_templates_are_taken() {
    type Case = (&'static str, &'static str, fn(&mut MetaApp, &mut Taken), bool);
    fn leave_out(app: &mut MetaApp, name: &str, language: Option<&str>) {
        let excluded = ExcludedTemplate { name: name.to_owned(), language: language.map(str::to_owned) };
        app.spec.import.as_mut().unwrap().templates.as_mut().unwrap().exclude = vec![excluded];
    }
    let cases: &[Case] = &[
        ("nobody has it", "", |_, _| {}, true),
        ("Meta made it", "AUTO_GENERATED", |_, _| {}, false),
        ("left out in every language", "", |app, _| leave_out(app, "hello_world", None), false),
        ("left out in this language", "", |app, _| leave_out(app, "hello_world", Some("en_US")), false),
        ("left out in another language", "", |app, _| leave_out(app, "hello_world", Some("en")), true),
        ("another is left out", "", |app, _| leave_out(app, "hello", None), true),
        ("somebody has it", "", |_, taken| taken.templates = vec![claim("hello_world", "en_US")], false),
        (
            "somebody has it in another language",
            "",
            |_, taken| taken.templates = vec![claim("hello_world", "en")],
            true,
        ),
        ("nobody asks for templates", "", |app, _| app.spec.import.as_mut().unwrap().templates = None, false),
    ];
    for (reason, source, change, expected) in cases {
        let (mut app, mut claims) = (app(), Taken::default());
        change(&mut app, &mut claims);
        let (_, templates) = taken(&app, &[], &[template("hello_world", "en_US", source)], &claims);
        assert_eq!(templates == ["hello_world en_US"], *expected, "{reason}");
    }
}

#[test]
fn thousands_of_exclusions_are_read_once() {
    let numbers: Vec<Value> = (1..=10_000).map(|n| number(33_600_000_000 + n, "CONNECTED")).collect();
    let exclude = (1..=1_000).map(|n| format!("+{}", 33_600_000_000_u64 + n)).collect();
    let mut app = app();
    app.spec.import.as_mut().unwrap().numbers.as_mut().unwrap().exclude = exclude;
    let snapshot = snapshot(ONE, &numbers, &[]);
    let began = Instant::now();
    let found = missing(&app, std::iter::once((ONE, &snapshot)), &Taken::default(), &Created::default(), began);
    assert_eq!(found.numbers.len(), 9_000);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}: each exclusion is parsed for each number",
        began.elapsed()
    );
}

#[test]
fn a_number_in_two_accounts_is_taken_once() {
    let one = snapshot(ONE, &[number(5_215_512_345_678, "CONNECTED"), number(DIGITS, "CONNECTED")], &[]);
    let two = snapshot(TWO, &[number(525_512_345_678, "CONNECTED"), number(DIGITS, "CONNECTED")], &[]);
    let accounts = [(TWO, &two), (ONE, &one)];
    let wanted = missing(&app(), accounts.into_iter(), &Taken::default(), &Created::default(), Instant::now());
    assert_eq!(wanted.numbers, [(ONE.into(), DIGITS), (ONE.into(), 5_215_512_345_678)], "always the same one");
}

#[test]
fn what_was_created_a_moment_ago_is_not_created_again() {
    let (app, now) = (app(), Instant::now());
    let snapshot = snapshot(ONE, &[number(5_215_512_345_678, "CONNECTED")], &[template("hello", "en", "")]);
    let wanted = |created: &Created, now| {
        let wanted = missing(&app, std::iter::once((ONE, &snapshot)), &Taken::default(), created, now);
        (wanted.numbers.len(), wanted.templates.len())
    };
    let mut created = Created::default();
    assert_eq!(wanted(&created, now), (1, 1));
    let batch = missing(&app, std::iter::once((ONE, &snapshot)), &Taken::default(), &created, now).batch();
    created.remember(&batch, now);
    assert_eq!(wanted(&created, now + Duration::from_secs(59)), (0, 0), "the watch may be slow");
    assert_eq!(wanted(&created, now + Duration::from_secs(61)), (1, 1), "it was deleted at once");

    let numbers = vec![NumberClaim::of(525_512_345_678)];
    let seen = Taken { numbers, templates: vec![claim("hello", "en")], ..Taken::default() };
    created.forget_seen(&seen);
    assert_eq!(wanted(&created, now), (1, 1), "what the watch brought is claimed as long as it is there");
}

#[test]
fn an_import_of_thousands_comes_in_parts() {
    let numbers: Vec<Value> = (1..=600).map(|n| number(33_600_000_000 + n, "CONNECTED")).collect();
    let templates: Vec<Value> = (1..=100).map(|n| template(&format!("t{n}"), "en", "")).collect();
    let snapshot = snapshot(ONE, &numbers, &templates);
    let (app, now, mut created) = (app(), Instant::now(), Created::default());
    let mut parts = Vec::new();
    loop {
        let batch = missing(&app, std::iter::once((ONE, &snapshot)), &Taken::default(), &created, now).batch();
        if batch.is_empty() {
            break;
        }
        created.remember(&batch, now);
        parts.push((batch.numbers.len(), batch.templates.len()));
    }
    assert_eq!(parts, [(512, 0), (88, 100)]);
}

#[test]
fn imported_objects_say_what_they_stand_for_and_no_more() {
    let mut app = app();
    let mut made = number_object(&app);
    assert_eq!(
        (made.metadata.name.as_deref(), made.metadata.namespace.as_deref()),
        (Some("number-33612345678"), Some("meta"))
    );
    assert_eq!(made.spec.phone_number, "+33612345678");
    assert_eq!(made.spec.business_account_id.as_deref(), Some(ONE));
    assert_eq!(made.spec.directions, [Direction::Incoming, Direction::Outgoing]);
    assert_eq!(made.spec.app_ref, AppRef { name: "ino-cx".to_owned(), namespace: None });
    assert_eq!(made.metadata.labels.take().unwrap(), [(IMPORTED_BY.to_owned(), "ino-cx".to_owned())].into());
    assert_eq!(made.metadata.owner_references, None, "it outlives the app");

    app.spec.import.as_mut().unwrap().numbers.as_mut().unwrap().directions = Some(vec![Direction::Incoming]);
    assert_eq!(number_object(&app).spec.directions, [Direction::Incoming]);
    let made = super::template(&app, &claim("order_shipped", "en_US"));
    let identity = MessageTemplateSpec {
        app_ref: AppRef { name: "ino-cx".to_owned(), namespace: None },
        business_account_id: ONE.to_owned(),
        template_name: "order_shipped".to_owned(),
        language: "en_US".to_owned(),
        management_policy: ManagementPolicy::Observe,
        ..MessageTemplateSpec::default()
    };
    assert_eq!(made.spec, identity);
}

fn number_object(app: &MetaApp) -> WhatsAppNumber {
    super::number(app, ONE, DIGITS)
}

#[test]
fn only_what_nobody_touched_gives_way() {
    let made = |generation, label: Option<&str>| {
        let mut number = number_object(&app());
        number.metadata.generation = Some(generation);
        number.metadata.labels = label.map(|by| [(IMPORTED_BY.to_owned(), by.to_owned())].into());
        number
    };
    for (number, untouched, reason) in [
        (made(1, Some("ino-cx")), true, "as the import made it"),
        (made(2, Some("ino-cx")), false, "somebody changed it"),
        (made(1, None), false, "somebody took the label off"),
        (made(1, Some("other")), false, "another app's"),
    ] {
        assert_eq!(is_untouched(&number, "ino-cx"), untouched, "{reason}");
    }
}

#[test]
fn names_of_templates_fit_kubernetes() {
    let long = "a".repeat(512);
    for name in ["order_shipped", "_x_", "___", &long] {
        let object = template_object_name(&claim(name, "en_US"));
        assert!(object.len() <= NAME_LIMIT, "{object}");
        assert!(object.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{object}");
        assert!(object.starts_with(|c: char| c.is_ascii_alphanumeric()), "{object}");
    }
    let plain = template_object_name(&claim("order_shipped", "en_US"));
    assert!(plain.starts_with("order-shipped-en-us-") && plain.len() == "order-shipped-en-us-".len() + 8, "{plain}");
    assert_ne!(plain, template_object_name(&claim("order__shipped", "en_US")));
    assert_ne!(template_object_name(&claim("a_b", "en")), template_object_name(&claim("a", "b_en")));
}

#[test]
fn a_failure_ends_when_what_failed_is_no_longer_wanted() {
    let number = |digits| (Box::from(ONE), digits);
    let numbers =
        |digits: &[u64]| Wanted { numbers: digits.iter().copied().map(number).collect(), ..Wanted::default() };
    assert!(numbers(&[1, 2]).has_any_of(&numbers(&[2, 3])));
    assert!(!numbers(&[1]).has_any_of(&numbers(&[2, 3])), "excluded, or gone");
    assert!(!Wanted::default().has_any_of(&numbers(&[2])));
    let templates = Wanted { templates: vec![claim("greeting", "en")], ..Wanted::default() };
    assert!(templates.has_any_of(&templates) && !templates.has_any_of(&numbers(&[1])));
}

#[test]
fn templates_that_no_object_can_stand_for_are_left_out() {
    let templates = [
        ("greeting", "zh_Hant_TW"),
        ("greeting", "en"),
        ("greeting", "fil"),
        ("greeting", "pt_BR"),
        ("Greeting", "en"),
        ("greet-ing", "en"),
        ("greeting", "EN"),
        ("greeting", "en_us"),
    ];
    let templates: Vec<Value> = templates.iter().map(|(name, language)| template(name, language, "")).collect();
    let snapshot = snapshot(ONE, &[], &templates);
    let wanted =
        missing(&app(), std::iter::once((ONE, &snapshot)), &Taken::default(), &Created::default(), Instant::now());
    let name = |claim: &TemplateClaim| format!("{} {}", claim.key.name, claim.key.language);
    let (taken, unfit): (Vec<_>, Vec<_>) =
        (wanted.templates.iter().map(name).collect(), wanted.unfit.iter().map(name).collect());
    assert_eq!(taken, ["greeting en", "greeting fil", "greeting pt_BR"]);
    assert_eq!(unfit, ["Greeting en", "greet-ing en", "greeting EN", "greeting en_us", "greeting zh_Hant_TW"]);
    let only = Wanted { unfit: wanted.unfit, ..Wanted::default() };
    assert!(only.is_empty(), "nothing is tried for them");
}
