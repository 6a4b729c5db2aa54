//! The API: the three kinds that users write and read, and what they share. No runtime, and no I/O but the writing of `crds/`.
#![allow(clippy::doc_markdown, reason = "the doc comments are what `kubectl explain` shows")]
#![allow(clippy::duplicated_attributes, reason = "kube's printcolumn attributes have keys in common")]

mod action;
mod crd;
#[cfg(test)]
mod crd_tests;
mod duration;
pub mod later;
mod message_template;
mod meta_app;
mod rules;
mod shared;
mod vocabulary;
mod whatsapp_number;

pub use action::Action;
pub use crd::{crds, render, write_crds};
pub use duration::{GoDuration, NotADuration};
pub use message_template::*;
pub use meta_app::*;
pub use shared::{
    AppRef, Direction, GROUP, HISTORY_LIMIT, Intent, Managed, ManagedStatus, ManagementPolicy, NEVER_OBSERVED, Problem,
    SecretKeyRef, Transition, whole_seconds,
};
pub use whatsapp_number::*;
