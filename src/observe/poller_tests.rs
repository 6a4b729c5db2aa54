//! Pollers with production's waits and a Meta that hangs, on a paused clock.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use tokio::net::TcpListener;

use super::{AppSummary, Changes, Inventory, Pollers, Polling, Wake};
use crate::{
    api::AppKey,
    graph::{self, Access, AppCredentials, Finished},
    server::Health,
    timing::Timing,
};

struct Nobody;

impl Wake for Nobody {
    fn changed(&self, _: &AppKey, _: &str, _: &Changes) {}
    fn failed(&self, _: &AppKey, _: &str) {}
    fn stale(&self, _: &AppKey, _: &str) {}
}

/// A server that takes connections and never replies.
async fn silent() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    url
}

struct World {
    inventory: Arc<Inventory>,
    graph: graph::Client,
    pollers: Pollers,
    health: Health,
}

async fn world() -> World {
    let config = graph::Config { base_url: silent().await, user_agent: "test".into(), timing: Timing::default() };
    let graph = graph::Client::new(config, Arc::new(|_: &Finished<'_>| {})).unwrap();
    let inventory = Arc::new(Inventory::default());
    let pollers = Pollers::new(inventory.clone(), graph.clone(), Timing::default(), Arc::new(Nobody));
    let health = Health::new(Duration::from_mins(30));
    health.watch_polls(pollers.overdue());
    World { inventory, graph, pollers, health }
}

impl World {
    fn poll(&self, name: &str, accounts: &[String]) -> AppKey {
        let app = AppKey::new("meta", name);
        let credentials = AppCredentials { app_id: name.to_owned(), app_secret: "secret".into() };
        let access = Access { app: credentials, token: "token".into(), version: "v25.0".into() };
        let polling = Polling { access, token: "token".into(), interval: Duration::from_mins(10), usage: false };
        self.inventory.set_app(&app, AppSummary::default(), accounts);
        self.pollers.set(&app, Some(&polling), accounts);
        app
    }

    fn failing(&self, app: &AppKey) -> usize {
        self.inventory.accounts(app).values().filter(|account| account.failure.is_some()).count()
    }
}

fn accounts(count: usize) -> Vec<String> {
    (1..=count).map(|id| id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn liveness_does_not_depend_on_metas_replies() {
    let world = world().await;
    let app = world.poll("many", &accounts(150));
    for minute in 0..180 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(world.health.live(), Ok(()), "after {minute} minutes");
    }
    assert_eq!(world.failing(&app), 150, "each account was read, and each read timed out");
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_died_is_overdue() {
    struct Panics;
    impl Wake for Panics {
        fn changed(&self, _: &AppKey, _: &str, _: &Changes) {}
        fn failed(&self, _: &AppKey, _: &str) {
            panic!("a bug");
        }
        fn stale(&self, _: &AppKey, _: &str) {}
    }
    let mut world = world().await;
    world.pollers = Pollers::new(world.inventory.clone(), world.graph.clone(), Timing::default(), Arc::new(Panics));
    world.health = Health::new(Duration::from_mins(30));
    world.health.watch_polls(world.pollers.overdue());
    world.poll("one", &accounts(1));
    tokio::time::sleep(Duration::from_mins(25)).await;
    assert_eq!(world.health.live(), Ok(()));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(world.health.live().is_err(), "the account is no longer read");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_waits_for_its_budget_does_not_slow_another_one() {
    let world = world().await;
    for id in accounts(4) {
        let access = Access {
            app: AppCredentials { app_id: "slow".into(), app_secret: "secret".into() },
            token: "token".into(),
            version: "v25.0".into(),
        };
        while world.graph.pass(&access, &id, graph::Priority::Read).await.is_ok() {}
    }
    world.poll("slow", &accounts(4));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let fast = world.poll("fast", &accounts(1));
    tokio::time::sleep(Duration::from_secs(40)).await;
    world.pollers.poke(&fast, None);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(world.failing(&fast), 1, "its read began at once, and has timed out");
}
