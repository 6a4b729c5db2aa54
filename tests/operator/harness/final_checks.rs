//! The checks at the end of every test: no careless call, no status that breaks a rule, no secret in the open.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};

use crate::harness::{secret_scan::Scan, world::World};

impl World {
    /// Stops the operator and makes all final checks: the last line of every test.
    pub async fn finish(mut self) {
        let metrics = self.stop_and_check().await;
        let scan = Scan::of(&self.all_secrets().await);
        let params = ListParams::default();
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace).list(&params).await.unwrap();
        let events: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        // A Secret's data may hold secrets; its metadata is readable by many.
        let secrets = self.secrets().list_metadata(&params).await.unwrap();
        let secrets: Vec<String> =
            secrets.iter().map(|secret| serde_json::to_string(&secret.metadata).unwrap()).collect();
        let log = self.outputs.iter().fold(self.logs.text(), |log, output| log + &output.text());
        for (place, text) in [
            ("an object", &self.witness.texts()),
            ("Events", &events.join("\n")),
            ("what is written on a Secret", &secrets.join("\n")),
            ("metrics", &metrics),
            ("the log", &log),
        ] {
            let found = scan.find(text);
            assert!(found.is_none(), "a secret in {place}: {}", found.unwrap_or_default());
        }
        // A program logs its own panics.
        assert!(!log.contains("panicked") && !log.contains("\"message\":\"panic\""), "{log}");
    }

    /// Stops the operator and checks calls and statuses, without the scan for secrets; the operator's metrics.
    pub async fn stop_and_check(&mut self) -> String {
        let mut metrics = String::new();
        if let Some(operator) = self.operator.take() {
            metrics += &operator.metrics().await;
            operator.stop().await;
        }
        if let Some(program) = self.program.take() {
            metrics += &program.metrics().await;
            program.stop().await;
        }
        let violations = self.sim.violations().await.unwrap();
        assert!(violations.is_empty(), "careless calls: {violations:#?}\n{}", self.diagnostics().await);
        let broken = self.witness.rule_violations();
        assert!(broken.is_empty(), "statuses that break the rules: {broken:#?}");
        metrics
    }

    async fn all_secrets(&self) -> Vec<String> {
        let state = self.sim.get("state").await.unwrap();
        let values = |list: &str, field: &str| -> Vec<String> {
            let items = state[list].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
        };
        // Every PIN that was ever in force, and every code that was sent.
        let numbers = state["ladders"]["numbers"].as_object().cloned().unwrap_or_default();
        let pins_and_codes = numbers.values().flat_map(|number| {
            let list = |name: &str, field: &'static str| -> Vec<String> {
                let items = number[name].as_array().cloned().unwrap_or_default();
                items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
            };
            [list("pins", "pin"), list("codes", "code")].concat()
        });
        let pins_and_codes: Vec<String> = pins_and_codes.collect();
        [
            values("tokens", "token"),
            values("apps", "secret"),
            values("numbers", "pin"),
            pins_and_codes,
            self.tracked_secrets.clone(),
        ]
        .concat()
    }
}
