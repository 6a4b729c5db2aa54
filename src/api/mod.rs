//! The API: the three kinds that users write and read, and what they share. No runtime, and no I/O but the writing of `crds/` and `schemas/`.
#![allow(clippy::doc_markdown, reason = "the doc comments are what `kubectl explain` shows")]
#![allow(clippy::duplicated_attributes, reason = "kube's printcolumn attributes have keys in common")]

mod action;
mod app_key;
mod crd;
#[cfg(test)]
mod crd_tests;
mod duration;
mod json_schema;
mod kind;
pub mod labels;
mod message_template;
mod meta_app;
mod open_enum;
mod rules;
mod shared;
pub mod unsupported;
mod validation;
mod whatsapp_number;

pub use action::Action;
pub use app_key::AppKey;
pub use crd::{crds, render, write_crds};
pub use duration::{GoDuration, NotADuration};
pub use json_schema::{json_schemas, write_json_schemas};
pub use kind::{Kind, ManagedStatus};
pub use message_template::*;
pub use meta_app::*;
pub use shared::{
    AppRef, Direction, GROUP, HISTORY_LIMIT, ManagementPolicy, NEVER_OBSERVED, READY, SecretKeyRef, SpecError,
    Transition, whole_seconds,
};
pub use validation::broken_rules;
pub use whatsapp_number::*;
