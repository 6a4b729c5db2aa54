//! The three kinds, one folder each, with the same files in each: `mod.rs` implements the traits of a kind, `inputs` collects
//! what the plan reads, `plan.rs` decides, purely, `steps.rs` carries one step out, `status.rs` and `conditions.rs` say what
//! Meta's facts mean. The files beside them are topics: a number's bear the names of its spec's blocks, an app's those of its
//! checks.

pub(crate) mod message_template;
pub(crate) mod meta_app;
pub(crate) mod whatsapp_number;

pub use message_template::Templates;
pub use meta_app::Apps;
pub use whatsapp_number::{Bindings, Numbers};

use crate::{
    api::{Kind, MessageTemplate, MetaApp, WhatsAppNumber},
    messages::Reasons,
};

/// Condition by condition, the reasons that it can have on objects of the kind with this name. `Reconciling`, `Stalled` and
/// `Suspended` repeat the reason of `Ready`. The pages in `docs/` list the same.
#[must_use]
pub fn reasons(kind: &str) -> Reasons {
    match kind {
        MetaApp::NAME => meta_app::REASONS,
        WhatsAppNumber::NAME => whatsapp_number::REASONS,
        MessageTemplate::NAME => message_template::REASONS,
        _ => &[],
    }
}
