//! What the operator adds to kube-rs: a leader lease that fences writes, secrets read one at a time, status written
//! under the version that was planned on, conditions, events, backoff, and guards around futures.

pub mod backoff;
pub mod client;
pub mod conditions;
pub mod deadline;
pub mod events;
pub mod fingerprint;
pub mod lease;
pub mod restore_detector;

pub mod secrets;
pub mod status;
pub mod timeout;
