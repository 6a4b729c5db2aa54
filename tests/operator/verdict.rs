//! The end of every test: what must never be.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};

use crate::harness::World;

impl World {
    /// Stops the operator and looks for what must never be.
    pub async fn finish(mut self) {
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
        let secrets = self.all_secrets().await;
        if let Some(object) = self.witness.told(&secrets) {
            panic!("a secret in an object: {object}");
        }
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace).list(&ListParams::default()).await;
        let events = serde_json::to_string(&events.unwrap()).unwrap();
        let log = self.outputs.iter().fold(self.logs.text(), |log, output| log + &output.text());
        for (place, text) in [("Events", &events), ("metrics", &metrics), ("the log", &log)] {
            let line = text.lines().find(|line| secrets.iter().any(|secret| line.contains(secret)));
            assert!(line.is_none(), "a secret in {place}: {line:?}");
        }
        // A program logs its panics itself.
        assert!(!log.contains("panicked") && !log.contains("\"message\":\"panic\""), "{log}");
    }

    async fn all_secrets(&self) -> Vec<String> {
        let state = self.sim.get("state").await.unwrap();
        let values = |list: &str, field: &str| -> Vec<String> {
            let items = state[list].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
        };
        [values("tokens", "token"), values("apps", "secret"), self.planted.clone()].concat()
    }
}
