//! What Prometheus reads, and how it changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::Timestamp;

use super::{Metrics, ObjectCounts, ObjectLabels, ObjectSeries, Outcome};

#[test]
fn everything_is_exposed_under_its_name() {
    let metrics = Metrics::new();
    metrics.reconciled("MetaApp", Outcome::Unchanged, Duration::from_millis(2));
    metrics.called("debug_token", "Done", Duration::from_millis(40));
    metrics.left_out("account", 3);
    metrics.left_out("debug_token", 0);
    metrics.budgets([("1", "2", 87.5)].into_iter());
    metrics.token_expires("meta", "ino-cx", Some(Timestamp::UNIX_EPOCH));
    metrics.app_conditions("meta", "ino-cx", [("TokenValid", "True", "Valid")].into_iter());
    metrics.app_conditions("meta", "ino-cx", [("TokenValid", "False", "TokenRejected")].into_iter());
    metrics.noticed("MetaApp", "TokenRejected");
    metrics.overdue(Duration::from_millis(1500));
    metrics.written("whatsappnumbers/status", "patch");
    metrics.event_dropped();
    metrics.leader(true);
    metrics.panicked();
    let text = metrics.encode();
    for line in [
        r#"waba_reconciles_total{kind="MetaApp",outcome="unchanged"} 1"#,
        r#"waba_reconcile_duration_seconds_count{kind="MetaApp"} 1"#,
        r#"waba_meta_calls_total{endpoint="debug_token",class="Done"} 1"#,
        r#"waba_meta_call_duration_seconds_count{endpoint="debug_token"} 1"#,
        r#"waba_meta_odd_values_total{endpoint="account"} 3"#,
        r#"waba_meta_budget_left_percent{app="1",account="2"} 87.5"#,
        r#"waba_token_expiry_timestamp_seconds{namespace="meta",name="ino-cx"} 0"#,
        r#"waba_app_condition{namespace="meta",name="ino-cx",condition="TokenValid",status="False",reason="TokenRejected"} 1"#,
        r#"waba_notices_total{kind="MetaApp",reason="TokenRejected"} 1"#,
        "waba_most_overdue_poll_seconds 1.5",
        r#"waba_api_writes_total{resource="whatsappnumbers/status",verb="patch"} 1"#,
        "waba_events_dropped_total 1",
        "waba_leader 1",
        "waba_panics_total 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} not in:\n{text}");
    }
    assert!(!text.contains(r#"reason="Valid""#), "a condition has one status and reason: {text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_phase_that_empties_becomes_zero() {
    let metrics = Metrics::new();
    let phases = |counts: &[(&str, usize)]| ObjectCounts {
        phases: counts.iter().map(|(phase, n)| ((*phase).to_owned(), *n)).collect(),
        ..ObjectCounts::default()
    };
    metrics.objects("WhatsAppNumber", &phases(&[("Enabled", 3), ("Pending", 1)]));
    metrics.objects("MessageTemplate", &phases(&[("Pending", 5)]));
    metrics.objects("WhatsAppNumber", &phases(&[("Enabled", 4)]));
    let text = metrics.encode();
    assert!(text.contains(r#"waba_objects{kind="WhatsAppNumber",phase="Enabled"} 4"#), "{text}");
    assert!(text.contains(r#"waba_objects{kind="WhatsAppNumber",phase="Pending"} 0"#), "{text}");
    assert!(text.contains(r#"waba_objects{kind="MessageTemplate",phase="Pending"} 5"#), "{text}");
}

#[test]
fn what_is_gone_is_not_shown() {
    let metrics = Metrics::new();
    metrics.token_expires("meta", "ino-cx", Some(Timestamp::UNIX_EPOCH));
    metrics.token_expires("meta", "ino-cx", None);
    metrics.app_conditions("meta", "ino-cx", [("TokenValid", "True", "Valid")].into_iter());
    metrics.app_conditions("meta", "ino-cx", std::iter::empty());
    metrics.budgets([("1", "2", 50.0)].into_iter());
    metrics.budgets(std::iter::empty());
    let text = metrics.encode();
    assert!(!text.contains("ino-cx") && !text.contains(r#"app="1""#), "{text}");
}

#[test]
fn each_object_has_a_series_while_there_is_a_source() {
    let metrics = Metrics::new();
    assert!(!metrics.encode().contains("waba_object_ready"));
    let labels = |name: &str, reason| ObjectLabels {
        kind: "WhatsAppNumber",
        namespace: "cc".to_owned(),
        name: name.to_owned(),
        app: "meta/ino-cx".to_owned(),
        reason,
    };
    metrics.show_objects(move || {
        vec![
            ObjectSeries { ready: false, labels: labels("sales", "Banned") },
            ObjectSeries { ready: true, labels: labels("support", "Enabled") },
        ]
    });
    let text = metrics.encode();
    for (name, reason, value) in [("sales", "Banned", 0), ("support", "Enabled", 1)] {
        let line = format!(
            r#"waba_object_ready{{kind="WhatsAppNumber",namespace="cc",name="{name}",app="meta/ino-cx",reason="{reason}"}} {value}"#
        );
        assert!(text.lines().any(|have| have == line), "{line} not in:\n{text}");
    }
}

#[test]
fn two_operators_do_not_share() {
    let (one, two) = (Metrics::new(), Metrics::new());
    one.written("secrets", "create");
    assert_eq!((one.writes("secrets", "create"), two.writes("secrets", "create")), (1, 0));
}
