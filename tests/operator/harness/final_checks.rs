//! The end of every test: what must never be.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};

use crate::harness::{secret_scan::Scan, world::World};

impl World {
    /// Stops the operator and looks for what must never be.
    pub async fn finish(mut self) {
        let metrics = self.stop_carefully().await;
        let scan = Scan::of(&self.all_secrets().await);
        let params = ListParams::default();
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace).list(&params).await.unwrap();
        let events: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        // What Secrets hold is theirs; what is written on them is read by many.
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
        // A program logs its panics itself.
        assert!(!log.contains("panicked") && !log.contains("\"message\":\"panic\""), "{log}");
    }

    /// Stops the operator, which made no careless call and broke no rule; its metrics.
    pub async fn stop_carefully(&mut self) -> String {
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
        assert!(violations.is_empty(), "careless calls: {violations:#?}\n{}", self.picture().await);
        let broken = self.witness.broken();
        assert!(broken.is_empty(), "statuses that break the rules: {broken:#?}");
        metrics
    }

    async fn all_secrets(&self) -> Vec<String> {
        let state = self.sim.get("state").await.unwrap();
        let values = |list: &str, field: &str| -> Vec<String> {
            let items = state[list].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
        };
        // Every PIN that ever was in force, and every code that was sent.
        let ladders = state["ladders"]["numbers"].as_object().cloned().unwrap_or_default();
        let of_ladders = ladders.values().flat_map(|ladder| {
            let list = |name: &str, field: &'static str| -> Vec<String> {
                let items = ladder[name].as_array().cloned().unwrap_or_default();
                items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
            };
            [list("pins", "pin"), list("codes", "code")].concat()
        });
        let of_ladders: Vec<String> = of_ladders.collect();
        [
            values("tokens", "token"),
            values("apps", "secret"),
            values("numbers", "pin"),
            of_ladders,
            self.planted.clone(),
        ]
        .concat()
    }
}
