//! Waiting for facts; a timeout shows the current state instead.

use serde_json::Value;
use waba_operator::{
    api::{Kind, ManagedStatus},
    k8s::conditions,
};

use crate::harness::{
    operator::{LOOK_AGAIN, PATIENCE},
    seed::ACCOUNT,
    world::{Versions, World, condition, is_poll},
};

/// How many lines of each log a failure shows.
const LINES_SHOWN: usize = 25;

impl World {
    /// Calls `ask` until it returns a value; a timeout shows what operator and Meta did last.
    pub async fn eventually<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        self.eventually_or(ask, async || what.to_owned()).await
    }

    /// As [`World::eventually`]; `why` describes the timeout.
    async fn eventually_or<T>(&self, ask: impl AsyncFn() -> Option<T>, why: impl AsyncFn() -> String) -> T {
        let answered = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let Ok(answer) = tokio::time::timeout(PATIENCE, answered).await else {
            panic!("timed out: {}\n{}", why().await, self.diagnostics().await)
        };
        answer
    }

    /// Waits until the object exists and `wanted` accepts it.
    pub async fn until<K: Kind>(&self, name: &str, what: &str, wanted: impl Fn(&K) -> bool) -> K {
        let ask = async || self.get::<K>(name).await.filter(&wanted);
        let why = async || {
            let object = serde_yaml::to_string(&self.get::<K>(name).await).unwrap();
            format!("{} {name}: {what}\n{object}", K::kind(&()))
        };
        self.eventually_or(ask, why).await
    }

    /// Waits until the object's status is up to date with its spec, has this phase, and Ready is as given:
    /// `True/Enabled`.
    pub async fn until_phase<K: Kind>(&self, name: &str, phase: &str, ready: &str) -> K {
        self.until(name, &format!("phase {phase}, Ready {ready}"), |object: &K| {
            let Some(status) = object.status() else { return false };
            object.meta().generation == Some(status.observed_generation())
                && status.phase() == Some(phase)
                && condition(object, conditions::READY).is_some_and(|(state, _)| state == ready)
        })
        .await
    }

    /// Waits until a condition of the object is as given, `False/ExpiredToken`; its message.
    pub async fn until_condition<K: Kind>(&self, name: &str, type_: &str, wanted: &str) -> String {
        let is_so = |object: &K| condition(object, type_).is_some_and(|(state, _)| state == wanted);
        let object = self.until::<K>(name, &format!("{type_} {wanted}"), is_so).await;
        condition(&object, type_).map(|(_, message)| message).unwrap_or_default()
    }

    /// Waits until the object is gone.
    pub async fn until_gone<K: Kind>(&self, name: &str) {
        self.eventually(&format!("{name} is gone"), async || self.get::<K>(name).await.is_none().then_some(())).await;
    }

    /// Waits for `times` further polls of `account`, whatever Meta replies.
    pub async fn until_polled(&self, account: &str, times: usize) {
        let since = self.last_call().await;
        self.eventually(&format!("{times} polls of {account}"), async || {
            let calls = self.sim.calls(since).await.unwrap();
            let polls = calls.iter().filter(|call| is_poll(call, account) && !call["status"].is_null()).count();
            (polls >= times).then_some(())
        })
        .await;
    }

    /// Waits until two polls of [`ACCOUNT`] in a row have changed no object.
    pub async fn settle(&self) -> Versions {
        let quiet = async {
            let mut before = self.versions().await;
            loop {
                self.until_polled(ACCOUNT, 2).await;
                let now = self.versions().await;
                if now == before {
                    return now;
                }
                before = now;
            }
        };
        let Ok(versions) = tokio::time::timeout(PATIENCE, quiet).await else {
            panic!("objects keep changing\n{}", self.diagnostics().await)
        };
        versions
    }

    /// The last log lines and calls, for failure messages.
    pub async fn diagnostics(&self) -> String {
        let calls = self.sim.calls(0).await.unwrap_or_default();
        let line = |call: &Value| {
            let fields = ["seq", "time", "method", "path", "status", "code"].map(|field| call[field].to_string());
            fields.join(" ")
        };
        let calls: Vec<String> = calls[calls.len().saturating_sub(LINES_SHOWN)..].iter().map(line).collect();
        let programs: Vec<String> = self.outputs.iter().map(|output| output.tail(LINES_SHOWN)).collect();
        let operators = [self.logs.tail(LINES_SHOWN), programs.join("\n")].concat();
        format!("--- the operator\n{operators}\n--- Meta\n{}", calls.join("\n"))
    }
}
