//! A strict, stateful stand-in for the Graph API, with a control interface under `/_sim`.
//!
//! Two rooms that share one world: `meta` answers callers as Meta would and refuses what Meta would refuse; `control` lets
//! tests, demos and people move the world, order faults, and read what callers did.

mod client;
mod control;
mod delivery;
mod endless;
mod log;
mod meta;
mod server;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::task::JoinHandle;

pub use client::{Control, ControlError};
pub use world::seed::{SeedError, parse as parse_seed};

use server::Shared;
use world::World;

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The seed is not one.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The address cannot be listened on.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
}

/// A running simulator. It stops, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 3],
}

impl Sim {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Errors
    /// When the seed is wrong.
    pub async fn start(seed: Value) -> Result<Self, StartError> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), &seed).await
    }

    /// Starts on an address of the caller's choice.
    ///
    /// # Errors
    /// When the seed is wrong or the address taken.
    pub async fn listen(address: SocketAddr, seed: &Value) -> Result<Self, StartError> {
        let mut world = World::default();
        world.plant(seed)?;
        let shared = Shared::new(world);
        let (listener, address) = server::bind(address).await?;
        let tasks = [
            tokio::spawn(server::accept(listener, shared.clone())),
            tokio::spawn(delivery::worker::run(shared.clone())),
            tokio::spawn(world::agenda::run(shared)),
        ];
        Ok(Self { address, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of its control interface.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(&self.url())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
