//! The log of the operator of one test: shown when the test fails, and scanned for secrets when it ends.
//!
//! Every test has a runtime on its own thread, so a subscriber of that thread receives this test's events only.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{
    Layer as _, filter::LevelFilter, fmt::MakeWriter, layer::SubscriberExt as _, registry::Registry,
};

/// The lines so far; clones share them.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Records this thread's events until the guard is dropped.
    pub fn listen() -> (Self, DefaultGuard) {
        let logs = Self::default();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(logs.clone());
        let filter = tracing_subscriber::filter::Targets::new()
            .with_target("waba_operator", LevelFilter::TRACE)
            .with_default(LevelFilter::DEBUG);
        let guard = tracing::subscriber::set_default(Registry::default().with(layer.with_filter(filter)));
        (logs, guard)
    }

    /// Everything that was logged.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The operator's own last lines, for failure messages.
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let own: Vec<&str> = text.lines().filter(|line| line.contains("waba_operator")).collect();
        own[own.len().saturating_sub(lines)..].join("\n")
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
