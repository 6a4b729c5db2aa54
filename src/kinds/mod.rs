//! The three kinds, one folder each, with the same files in each: `mod.rs` names the kind to the controller, `inputs.rs`
//! collects what the plan reads, `plan.rs` decides, purely, `steps.rs` carries one step out, `status.rs` and
//! `conditions.rs` say what Meta's facts mean. A file beside them bears the name of the spec block that it implements.

pub(crate) mod message_template;
pub(crate) mod meta_app;
pub(crate) mod whatsapp_number;

pub use message_template::Templates;
pub use meta_app::Apps;
pub use whatsapp_number::{Bindings, Numbers};
